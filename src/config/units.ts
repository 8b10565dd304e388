/** Sizes and times as people write them: digits and a unit, nothing else. A size without a unit is in bytes. */

const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const durationUnitsMs: Readonly<Record<string, number>> = {
  us: 1e-3,
  ms: 1,
  s: 1e3,
  m: 6e4,
  h: 36e5,
};

/** ECMAScript regular expressions of the same, for JSON Schema. */
export const sizePattern: string = patternOf(sizeUnits, '?');
export const durationPattern: string = patternOf(durationUnitsMs, '');

/** `"64MiB"` or `"4096"` → bytes; undefined when it is not digits and at most a unit, or not exact in a double. */
export function parseSize(text: string): number | undefined {
  const bytes = withUnit(/^\d+$/.test(text) ? `${text}B` : text, sizeUnits);
  return bytes !== undefined && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `"250us"` → milliseconds, here 0.25; undefined when it is not digits and one of the units. */
export function parseDurationMs(text: string): number | undefined {
  const ms = withUnit(text, durationUnitsMs);
  return ms !== undefined && ms <= Number.MAX_SAFE_INTEGER ? ms : undefined;
}

/** The largest binary unit that divides evenly, else bytes. */
export function formatSize(bytes: number): string {
  for (const unit of ['TiB', 'GiB', 'MiB', 'KiB']) {
    const unitBytes = sizeUnits[unit] as number;
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return `${bytes}B`;
}

/** The largest unit that divides evenly. */
export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's', 'ms']) {
    const unitMs = durationUnitsMs[unit] as number;
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${Math.round(ms * 1000)}us`;
}

function patternOf(units: Readonly<Record<string, number>>, unitIs: '' | '?'): string {
  return `^[0-9]{1,15}(?:${Object.keys(units).join('|')})${unitIs}$`;
}

function withUnit(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,15})([A-Za-z]+)$/.exec(text);
  if (match === null) return undefined;
  const [, digits, unit] = match as unknown as [string, string, string];
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  return factor === undefined ? undefined : Number(digits) * factor;
}
