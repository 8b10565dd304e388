import { expect, test } from 'vitest';
import { verifyReadToken } from './read-token.ts';
import { signReadToken } from './sign-read-token.ts';

test('what is signed here allows the read of that needle, until its end', () => {
  const token = signReadToken('a key', '3,01637037d6', 1_000);
  expect(verifyReadToken(token, 'a key', '3,01637037d6', 999)).toBe(true);
  expect(verifyReadToken(token, 'a key', '3,01637037d6', 1_000)).toBe(false);
  expect(verifyReadToken(token, 'a key', '3,02637037d6', 999)).toBe(false);
  expect(verifyReadToken(token, 'another', '3,01637037d6', 999)).toBe(false);
});
