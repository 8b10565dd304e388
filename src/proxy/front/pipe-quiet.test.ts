import { describe, expect, test } from 'vitest';
import { PipeQuiet } from './pipe-quiet.ts';

const at = (bytesRead: number, bytesWritten: number, writableLength = 0): Bytes => ({
  bytesRead,
  bytesWritten,
  writableLength,
});
type Bytes = Parameters<PipeQuiet['look']>[0];

describe('a raw pipe', () => {
  test('rests when it has answered and no byte has come or gone for ten seconds', () => {
    const pipe = new PipeQuiet(at(100, 50));
    pipe.look(at(150, 90), 1_000);
    expect(pipe.restingMs(at(150, 90), 10_900)).toBe(0);
    expect(pipe.restingMs(at(150, 90), 12_500)).toBe(1_500);
  });

  test('does not rest before the first answer', () => {
    const pipe = new PipeQuiet(at(100, 50));
    pipe.look(at(150, 50), 1_000);
    expect(pipe.restingMs(at(150, 50), 60_000)).toBe(0);
  });

  test('does not rest while bytes come, go, or wait for the client', () => {
    const pipe = new PipeQuiet(at(100, 50));
    pipe.look(at(150, 90), 1_000);
    expect(pipe.restingMs(at(151, 90), 60_000)).toBe(0);
    expect(pipe.restingMs(at(150, 91), 60_000)).toBe(0);
    expect(pipe.restingMs(at(150, 90, 1), 60_000)).toBe(0);
    pipe.look(at(151, 90), 59_000);
    expect(pipe.restingMs(at(151, 90), 60_000)).toBe(0);
  });
});
