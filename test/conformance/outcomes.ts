/** What a pass over a group came to, one line for each case that is not as it must be. */
import type { CaseResult } from './group-run.ts';
import { isPlainNeedle } from './plain-needle.ts';
import type { RecordedCase } from './transcript.ts';

/** Cases whose answer is not the recorded one. */
export function unequal(pass: string, results: readonly CaseResult[]): readonly string[] {
  return results.flatMap(({ recorded, differences, reached }) =>
    differences.map((line) => {
      const by = reached.length > 0 ? 'passed on' : 'answered here';
      return `${pass}, ${recorded.name} (${by}): ${line}`;
    }),
  );
}

/** Plain live needles that the volume server was asked for, but for the reasons that are excused. */
export function plainButPassed(
  results: readonly CaseResult[],
  volumeIds: ReadonlySet<number>,
  excused: ReadonlySet<string>,
): string[] {
  const passed = results.filter(
    ({ recorded, reached, reasons }) =>
      reached.length > 0 &&
      isPlainNeedle(recorded, volumeIds) &&
      !isLearnedByGet(recorded, reasons) &&
      (reasons.length === 0 || reasons.some((reason) => !excused.has(reason))),
  );
  return passed.map(({ recorded, reasons }) => `${recorded.name}: ${reasons.join(', ')}`);
}

/** A type is learned from the answer to a GET alone: a HEAD whose extension no GET asked for passes each time. */
function isLearnedByGet(recorded: RecordedCase, reasons: readonly string[]): boolean {
  return recorded.request.method === 'HEAD' && reasons.join() === 'learn-type';
}
