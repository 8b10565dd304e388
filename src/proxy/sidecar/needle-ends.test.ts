import { expect, test } from 'vitest';
import { CutReads } from './needle-ends.ts';

const chunk = 4 * 1024 * 1024;
const page = 4_096;

test('a read that is shorter than those before it and ends with the chunk looks cut', () => {
  const cuts = new CutReads('auto');
  expect(cuts.looksCut('3,01', chunk - 40 * page, 32 * page, chunk)).toBe(false);
  expect(cuts.looksCut('3,01', chunk - 4 * page, 4 * page, chunk)).toBe(true);
  expect(cuts.looksCut('3,01', chunk - 32 * page, 32 * page, chunk)).toBe(false);
});

test('a short read of a chunk that no client has read yet looks cut where it ends with it', () => {
  const cuts = new CutReads('auto');
  expect(cuts.looksCut('3,01', chunk - page, page, chunk)).toBe(true);
  expect(cuts.looksCut('3,02', chunk - 64 * page, 64 * page, chunk)).toBe(false);
});

test('ranges of one length up to the end do not', () => {
  const cuts = new CutReads('auto');
  const read = 16 * page;
  for (let offset = 0; offset < chunk; offset += read) {
    expect(cuts.looksCut('3,01', offset, read, chunk)).toBe(false);
  }
});

test('the end of a file, which is in the middle of a page, does not', () => {
  const cuts = new CutReads('auto');
  cuts.looksCut('3,01', 0, 32 * page, chunk + 700);
  expect(cuts.looksCut('3,01', chunk, 700, chunk + 700)).toBe(false);
  expect(cuts.looksCut('3,02', 0, 700, 700)).toBe(false);
});

test('decline takes every end for a cut, serve none', () => {
  expect(new CutReads('decline').looksCut('3,02', 0, 700, 700)).toBe(true);
  expect(new CutReads('decline').looksCut('3,02', 0, 699, 700)).toBe(false);
  const serving = new CutReads('serve');
  serving.looksCut('3,01', 0, 32 * page, chunk);
  expect(serving.looksCut('3,01', chunk - page, page, chunk)).toBe(false);
});
