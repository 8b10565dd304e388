import { expect, test } from 'vitest';
import { AddressCounts } from './address-counts.ts';

function counted(addresses: readonly (string | undefined)[]): AddressCounts {
  const counts = new AddressCounts();
  for (const each of addresses) counts.add(each);
  return counts;
}

test('the address with most is known as connections come and go', () => {
  const counts = counted(['a', 'b', 'b', undefined, undefined, undefined]);
  expect(counts.most()).toBe('b');
  counts.remove('b');
  counts.remove('b');
  counts.remove(undefined);
  expect([counts.most(), counts.of('b'), counts.of(undefined)]).toEqual(['a', 0, 0]);
  counts.remove('a');
  expect(counts.most()).toBeUndefined();
});

test.each([
  [['a'], 'b', false],
  [['a', 'a'], 'b', true],
  [['a', 'a', 'b'], 'b', false],
  [['a', 'a', 'a', 'b'], 'b', true],
  [['a', 'a'], 'a', false],
  [['a', 'a'], undefined, true],
] as const)('of %j %s may take a place of a: %s', (addresses, address, may) => {
  expect(counted(addresses).mayTake(address, 'a')).toBe(may);
});
