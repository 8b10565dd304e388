/** Where copying ends, by what the rounds say; and how the bench prints it. */
import { describe, expect, test } from 'vitest';
import { type CopyCell, type CopyRound, copyCellOf, copyLimitBytes } from './copy-limit.ts';
import { copyMarkdown } from './copy-report.ts';
import { readOptions, UsageError } from './options.ts';

function roundsOf(cpuUs: readonly number[]): readonly CopyRound[] {
  return cpuUs.map((each) => ({ cpuUs: each, answersPerSecond: 1e6 / each, busy: 1 }));
}

function cell(bytes: number, copied: readonly number[], whole: readonly number[]): CopyCell {
  return copyCellOf(bytes, { copied: roundsOf(copied), whole: roundsOf(whole) });
}

/** Five rounds of 10 µs each against five of these. */
function against(kibibytes: number, ...whole: readonly number[]): CopyCell {
  return cell(kibibytes * 1024, [10, 10, 10, 10, 10], whole);
}

const dearer = [12, 12, 12, 12, 12];
const cheaper = [8, 8, 8, 8, 8];

describe('one size', () => {
  test('rounds are compared with their own round, whatever the machine did in between', () => {
    const { ratio, ratioMin, ratioMax, copied, verdict } = cell(
      4096,
      [10, 30, 10, 20, 10],
      [9, 27, 9, 18, 12],
    );
    expect({ ratio, ratioMin, ratioMax }).toEqual({ ratio: 0.9, ratioMin: 0.9, ratioMax: 1.2 });
    expect(copied.cpuUs).toBe(10);
    expect(verdict).toBe('two pieces');
  });

  test('two rounds of five that disagree, or two per cent, are noise', () => {
    expect(against(4, ...dearer).verdict).toBe('copy');
    expect(against(4, 8, 8, 8, 12, 12).verdict).toBe('either');
    expect(against(4, 12, 12, 12, 8, 8).verdict).toBe('either');
    expect(against(4, 9.9, 9.9, 9.9, 9.9, 9.9).verdict).toBe('either');
    expect(against(4, 10.1, 10.1, 10.1, 10.1, 10.1).verdict).toBe('either');
    expect(against(4, 9.7, 9.7, 9.7, 9.7, 9.7).verdict).toBe('two pieces');
  });
});

describe('the limit', () => {
  test('is the size below the first at which two pieces are clearly cheaper', () => {
    const cells = [against(4, ...dearer), against(8, ...dearer), against(16, ...cheaper)];
    expect(copyLimitBytes(cells)).toBe(8192);
  });

  test('what is within the noise is copied', () => {
    const noisy = against(16, 9.9, 9.9, 9.9, 9.9, 9.9);
    expect(copyLimitBytes([against(8, ...dearer), noisy, against(32, ...cheaper)])).toBe(16_384);
  });

  test('a size that falls out of line below larger ones that are dearer does not end it', () => {
    const cells = [against(4, ...cheaper), against(8, ...dearer), against(16, ...cheaper)];
    expect(copyLimitBytes(cells)).toBe(8192);
  });

  test('is the largest size where two pieces never win, and 0 where they always do', () => {
    expect(copyLimitBytes([against(4, ...dearer), against(8, ...dearer)])).toBe(8192);
    expect(copyLimitBytes([against(4, ...cheaper), against(8, ...cheaper)])).toBe(0);
  });
});

describe('the tables', () => {
  const cells = [against(16, ...dearer), against(32, ...cheaper)];
  const copy = {
    ...{ seconds: 1, rounds: 5, isPinned: true, generator: 'wrk', connections: 16 },
    ...{ arenaBytes: 1 << 29, current: 16_384, limit: 16_384, cells },
  };

  test('each size has both ways, the ratio with its spread, and what follows', () => {
    const lines = copyMarkdown(copy).split('\n');
    expect(lines).toContain(
      '| 32 KiB | 10.0 | 8.0 | 0.80 | 0.80 to 0.80 | 100000 | 125000 | 100 % | 100 % | two pieces |',
    );
  });

  test('a sender that did not run all the time is pointed out', () => {
    const busy = 'ran for less than 95 %';
    expect(copyMarkdown(copy)).not.toContain(busy);
    const waited = cells.map((each) => ({ ...each, whole: { ...each.whole, busy: 0.94 } }));
    expect(copyMarkdown({ ...copy, cells: waited })).toContain(busy);
  });

  test('the limit is told with what is set', () => {
    expect(copyMarkdown(copy)).toContain('Copied up to 16 KiB, the value that is set.');
    expect(copyMarkdown({ ...copy, limit: 32_768 })).toContain(
      'Copied up to 32 KiB; 16 KiB is set.',
    );
    expect(copyMarkdown({ ...copy, limit: 0 })).toContain(
      'Two pieces are cheaper at every size that was measured; 16 KiB is set.',
    );
  });
});

describe('the command line', () => {
  test('sizes are of the part that was named', () => {
    const { parts, sizes } = readOptions(['--only', 'copy', '--sizes', '4KiB,64KiB']);
    expect(parts).toEqual(['copy']);
    expect(sizes).toEqual([4096, 65_536]);
    expect(readOptions(['--sizes', '512,4KiB']).sizes).toEqual([512, 4096]);
    expect(readOptions(['--sizes', '4KiB']).parts).toEqual(['serve']);
  });

  test('what the part does not know is refused', () => {
    expect(() => readOptions(['--only', 'copy', '--servers', 'strict'])).toThrow(UsageError);
    expect(() => readOptions(['--only', 'copy', '--connections', '16'])).toThrow(UsageError);
    expect(() => readOptions(['--only', 'copy', '--sizes', '512KiB'])).toThrow(UsageError);
  });
});
