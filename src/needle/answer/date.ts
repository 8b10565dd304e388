import { formatHttpTime } from './http-time.ts';

export const httpDateChars = 29;

let text = '';
const bytes = Buffer.alloc(httpDateChars);
const secondMs = 1_000;
/** Monotonic ms at which the wall clock's next second begins. */
let untilMs = Number.NEGATIVE_INFINITY;

/** The `Date` value for now: RFC 1123 GMT, made once per second. */
export function httpDate(): string {
  refresh(performance.now());
  return text;
}

/** Writes the date as `httpDateChars` bytes. `nowMs`: monotonic. */
export function writeHttpDate(target: Buffer, at: number, nowMs: number): void {
  refresh(nowMs);
  // So few that a call for them would cost more.
  for (let i = 0; i < httpDateChars; i += 1) target[at + i] = bytes[i] as number;
}

function refresh(nowMs: number): void {
  if (nowMs < untilMs) return;
  const wallMs = Date.now();
  untilMs = nowMs + secondMs - (wallMs % secondMs);
  text = formatHttpTime(Math.floor(wallMs / secondMs));
  bytes.write(text, 'latin1');
}
