/** Variants are measured in turn, round after round, since the machine is never quite the same; and what rounds come to. */

export interface Spread {
  readonly p50: number;
  readonly p99: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

export function median(values: readonly number[]): number {
  return spreadOf(values).p50;
}

/** Measures each variant once a round, every other round backwards; by variant, a figure for each round. */
export async function inRounds<Name extends string, Figure>(
  names: readonly Name[],
  rounds: number,
  measure: (name: Name) => Promise<Figure>,
): Promise<Readonly<Record<Name, readonly Figure[]>>> {
  const figures = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Name,
    Figure[]
  >;
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      figures[name].push(await measure(name));
    }
  }
  return figures;
}

/** The median of the ratios of figures of the same round. */
export function ratioOf(above: readonly number[], below: readonly number[]): number {
  return median(above.map((value, round) => value / (below[round] as number)));
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
