/** How many tests of a suite ended in which way. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
  /** Files, and gtest programs, that failed beside others and were run again alone: their tests count as they ended then. */
  filesRunAgain: number;
}

export function noCounts(): Counts {
  return { passed: 0, failed: 0, skipped: 0, filesRunAgain: 0 };
}

export function addCounts(sum: Counts, { passed, failed, skipped, filesRunAgain }: Counts): void {
  sum.passed += passed;
  sum.failed += failed;
  sum.skipped += skipped;
  sum.filesRunAgain += filesRunAgain;
}

export function sumOf(all: Iterable<Counts>): Counts {
  const sum = noCounts();
  for (const each of all) addCounts(sum, each);
  return sum;
}

export function describeCounts({ passed, failed, skipped, filesRunAgain }: Counts): string {
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  return filesRunAgain === 0 ? counts : `${counts}, ${filesRunAgain} files run again alone`;
}
