/** The judge of histories, against histories made by hand: the good ones pass, each bad one is told by its name. */
import { describe, expect, test } from 'vitest';
import { contentOf, versionsOf } from './content.ts';
import { NeedleHistory, type Seen } from './history.ts';

const content = (...versions: number[]): Seen => ({ kind: 'content', versions });
const absent: Seen = { kind: 'absent' };

/** Versions 1 (10 to 12) and 2 (20 to 22) written, 3 (30 to 32) a delete, 4 (40 to 42) written. */
function fourChanges(): NeedleHistory {
  const history = new NeedleHistory();
  for (const [version, change] of (['write', 'write', 'delete', 'write'] as const).entries()) {
    expect(history.begin(change, (version + 1) * 10)).toBe(version + 1);
    history.acknowledge(version + 1, (version + 1) * 10 + 2);
  }
  return history;
}

function judged(
  history: NeedleHistory,
  begunAt: number,
  endedAt: number,
  seen: Seen,
): string | undefined {
  return history.judge({ begunAt, endedAt, seen })?.kind;
}

describe('a read may show', () => {
  test.each([
    ['what was acknowledged last', 13, 15, content(1)],
    ['either of two while the second is under way', 19, 21, content(1)],
    ['the second before it is acknowledged', 20.5, 21, content(2)],
    ['any version that it overlapped', 11, 45, content(2)],
    ['absence before the first write', 1, 2, absent],
    ['absence after a delete', 33, 34, absent],
    ['absence while a delete is under way', 29, 31, absent],
    ['content while a delete is under way', 29, 31, content(2)],
    ['absence while the write after a delete is under way', 33, 41, absent],
    ['one of several versions with equal bytes', 23, 24, content(1, 2, 4)],
    ['at the moment of an acknowledgement, both', 22, 23, content(1)],
  ])('%s', (_, begunAt, endedAt, seen) => {
    expect(judged(fourChanges(), begunAt, endedAt, seen)).toBeUndefined();
  });
});

describe('a read may not show', () => {
  test.each([
    ['a version overwritten before it began', 23, 25, content(1), 'stale'],
    ['a version deleted before it began', 33, 35, content(2), 'stale'],
    ['an old version for a long read that began too late', 22.5, 60, content(1), 'stale'],
    ['absence of a needle that was written and never deleted', 13, 19, absent, 'lost'],
    ['absence long after a delete that was followed by a write', 43, 44, absent, 'lost'],
    ['a version that is written later', 13, 15, content(2), 'never-written'],
    ['no version at all', 13, 15, content(), 'never-written'],
    ['content before the first write', 1, 2, content(1), 'never-written'],
    ['bytes of no version', 13, 15, { kind: 'torn', detail: 'x' } as const, 'torn'],
  ])('%s', (_, begunAt, endedAt, seen, kind) => {
    expect(judged(fourChanges(), begunAt, endedAt, seen)).toBe(kind);
  });
});

describe('of two reads', () => {
  test('the one that began after the other had ended shows nothing older', () => {
    const history = new NeedleHistory();
    history.acknowledge(history.begin('write', 1), 2);
    history.begin('write', 10);
    expect(judged(history, 11, 12, content(2))).toBeUndefined();
    expect(judged(history, 13, 14, content(1))).toBe('backwards');
    expect(judged(history, 13, 15, content(2))).toBeUndefined();
  });

  test('that overlap, each may show either', () => {
    const history = new NeedleHistory();
    history.acknowledge(history.begin('write', 1), 2);
    history.begin('write', 10);
    expect(judged(history, 11, 14, content(2))).toBeUndefined();
    expect(judged(history, 13, 15, content(1))).toBeUndefined();
  });

  test('absence goes back too', () => {
    const history = new NeedleHistory();
    history.acknowledge(history.begin('write', 1), 2);
    history.begin('delete', 10);
    expect(judged(history, 11, 12, absent)).toBeUndefined();
    expect(judged(history, 13, 14, content(1))).toBe('backwards');
  });

  test('equal bytes are the oldest version that explains them', () => {
    const history = new NeedleHistory();
    for (const at of [10, 20, 30]) history.begin('write', at);
    expect(judged(history, 31, 32, content(1, 3))).toBeUndefined();
    expect(judged(history, 33, 34, content(2))).toBeUndefined();
    expect(judged(history, 35, 36, content(1))).toBe('backwards');
  });
});

describe('under a weaker promise', () => {
  test('a change is seen from its time on, and one that is due earlier brings those before it', () => {
    const history = new NeedleHistory({ mayGoBack: true });
    history.acknowledge(history.begin('write', 1), 2);
    history.acknowledge(history.begin('write', 10), 111);
    expect(judged(history, 110, 112, content(1))).toBeUndefined();
    expect(judged(history, 112, 113, content(1))).toBe('stale');
    history.acknowledge(history.begin('write', 20), 121);
    history.acknowledge(history.begin('delete', 30), 31);
    expect(judged(history, 32, 33, content(2))).toBe('stale');
    expect(judged(history, 122, 123, content(3))).toBe('stale');
    expect(judged(history, 122, 123, absent)).toBeUndefined();
  });

  test('a change that nobody must see may be seen, and the reads after it need not', () => {
    const history = new NeedleHistory({ mayGoBack: true });
    history.acknowledge(history.begin('write', 1), 2);
    history.acknowledge(history.begin('write', 10), Number.POSITIVE_INFINITY);
    expect(judged(history, 11, 12, content(2))).toBeUndefined();
    expect(judged(history, 100, 101, content(1))).toBeUndefined();
    expect(judged(history, 102, 103, content(3))).toBe('never-written');
  });
});

test('a change that is never acknowledged may have happened, or not', () => {
  const history = new NeedleHistory();
  history.acknowledge(history.begin('write', 1), 2);
  history.begin('delete', 10);
  expect(judged(history, 100, 101, content(1))).toBeUndefined();
  expect(judged(history, 102, 103, absent)).toBeUndefined();
});

describe('content', () => {
  const needle = { volumeId: 7, needleId: 0x1_0000_0001n };
  const versions = new Map([
    [1, 100],
    [2, 100],
    [3, 5_000],
    [4, 9],
    [5, 9],
  ]);
  const whole = (version: number): Buffer =>
    contentOf({ ...needle, version, length: versions.get(version) ?? 0 });
  const slice = (version: number, offset: number, end: number) => ({
    offset,
    totalBytes: versions.get(version) ?? 0,
    bytes: whole(version).subarray(offset, end),
  });

  test('names its version, whole and in slices', () => {
    expect(versionsOf(slice(1, 0, 100), needle, versions)).toEqual([1]);
    expect(versionsOf(slice(3, 1_003, 1_200), needle, versions)).toEqual([3]);
    expect(versionsOf(slice(3, 4_990, 5_000), needle, versions)).toEqual([3]);
  });

  test('names all that are equal where the slice is too short to tell', () => {
    expect(versionsOf(slice(1, 8, 20), needle, versions)).toEqual([1, 2]);
    expect(versionsOf(slice(4, 8, 9), needle, versions)).toEqual([4, 5]);
    expect(versionsOf(slice(4, 0, 1), needle, versions)).toEqual([4]);
    expect(versionsOf(slice(1, 4, 8), needle, versions)).toEqual([1]);
  });

  test.each([
    ['one byte is another', (bytes: Buffer) => bytes.fill(0xff, 77, 78), 0],
    ['two versions share it', (bytes: Buffer) => whole(2).copy(bytes, 64, 64), 0],
    ['it is moved by a block', (bytes: Buffer) => bytes.copy(bytes, 0, 32), 0],
    ['its beginning is of nobody', (bytes: Buffer) => bytes.fill(0, 0, 32), 0],
    ['a short slice is of nobody', (bytes: Buffer) => bytes.fill(0xee), 90],
  ])('is torn where %s', (_, spoil, offset) => {
    const bytes = Buffer.from(whole(1).subarray(offset));
    spoil(bytes);
    expect(versionsOf({ offset, totalBytes: 100, bytes }, needle, versions)).toBeTypeOf('string');
  });

  test('is torn where it is another needle’s, of another length, or was never written', () => {
    const bytes = whole(1);
    const read = { offset: 0, totalBytes: 100, bytes };
    expect(versionsOf(read, { ...needle, needleId: 5n }, versions)).toMatch('the bytes of 7/');
    expect(versionsOf({ ...read, totalBytes: 99 }, needle, versions)).toMatch('length of 99');
    expect(versionsOf(read, needle, new Map([[2, 100]]))).toMatch('never written');
  });
});
