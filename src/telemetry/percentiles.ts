/** Latencies summed up the usual way. */

export interface Percentiles {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Returns a percentile of values in ascending order; 0 without any. */
export function nearestRank(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Nearest rank; all 0 without values. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  const rank = (share: number): number => nearestRank(sorted, share);
  const sum = sorted.reduce((total, value) => total + value, 0);
  return {
    count: sorted.length,
    min: rank(0),
    mean: sorted.length === 0 ? 0 : sum / sorted.length,
    p50: rank(0.5),
    p90: rank(0.9),
    p99: rank(0.99),
    max: rank(1),
  };
}

/** One line for a person; values in microseconds. */
export function formatPercentiles(name: string, values: Percentiles): string {
  const parts = (['min', 'mean', 'p50', 'p90', 'p99', 'max'] as const).map(
    (key) => `${key} ${values[key].toFixed(1)}`,
  );
  return `${name} µs: ${parts.join('  ')}  (${values.count} samples)`;
}
