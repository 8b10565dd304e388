import { expect, it } from 'vitest';
import { httpDate, newRequestId } from './prepared-answer.ts';

it('makes request ids of the unix time in ns and 8 random digits', () => {
  const ids = Array.from({ length: 3000 }, newRequestId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9A-F]{24}$/);
    const ageMs = Date.now() - Number(BigInt(`0x${id.slice(0, 16)}`) / 1_000_000n);
    expect(Math.abs(ageMs)).toBeLessThan(60_000);
  }
});

it('gives the date of now', () => {
  expect(Math.abs(Date.parse(httpDate()) - Date.now())).toBeLessThan(60_000);
  expect(httpDate()).toMatch(/^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/);
});
