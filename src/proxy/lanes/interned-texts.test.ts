import { expect, test } from 'vitest';
import { InternedTexts } from './interned-texts.ts';

test('a text has one number for all of its uses, and gives it back', () => {
  const texts = new InternedTexts();
  const first = texts.use('10.0.0.1');
  expect(texts.use('10.0.0.1')).toBe(first);
  expect(texts.use('10.0.0.2')).not.toBe(first);
  expect(texts.textOf(first)).toBe('10.0.0.1');
  expect(texts.size).toBe(2);
});

test("a number that is no text's is an empty text", () => {
  expect(new InternedTexts().textOf(7)).toBe('');
});

test('a text is known until its last use has ended and everything was counted', () => {
  const texts = new InternedTexts();
  const id = texts.use('a');
  texts.use('a');
  texts.release(id);
  texts.forgetUnused();
  expect(texts.textOf(id)).toBe('a');
  texts.release(id);
  expect(texts.textOf(id)).toBe('a');
  texts.forgetUnused();
  expect([texts.textOf(id), texts.size]).toEqual(['', 0]);
});

test('a text that is used anew before it was forgotten keeps its number', () => {
  const texts = new InternedTexts();
  const id = texts.use('a');
  texts.release(id);
  expect(texts.use('a')).toBe(id);
  texts.forgetUnused();
  expect(texts.textOf(id)).toBe('a');
});

test('numbers are used again: any number of texts, one after the other, takes the memory of one', () => {
  const texts = new InternedTexts();
  const ids = new Set<number>();
  for (let i = 0; i < 1_000; i += 1) {
    const id = texts.use(`agent ${i}`);
    ids.add(id);
    texts.release(id);
    texts.forgetUnused();
  }
  expect([...ids]).toEqual([0]);
});
