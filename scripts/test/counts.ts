/** How many tests of a suite ended in which way. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

export function addCounts(sum: Counts, { passed, failed, skipped }: Counts): void {
  sum.passed += passed;
  sum.failed += failed;
  sum.skipped += skipped;
}
