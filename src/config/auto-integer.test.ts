import { expect, test } from 'vitest';
import { integerOrAuto } from './auto-integer.ts';

const lanes = integerOrAuto('lanes', { min: 0, max: 8 });

function parsed(raw: unknown): unknown {
  const said: string[] = [];
  const value = lanes.parse(raw, (_path, message) => void said.push(message));
  return value ?? said.join();
}

test.each([
  ['auto', 'auto'],
  [0, 0],
  [8, 8],
])('%j is taken as %j', (raw, value) => {
  expect(parsed(raw)).toBe(value);
});

test.each([9, -1, 1.5, '4', '9', '-1', '1.5', '', 'Auto', 'many', true, null, Number.NaN])(
  '%j is refused',
  (raw) => {
    expect(parsed(raw)).toMatch(/^(?:expected|must be)/);
  },
);

test('a text that is no number is told what may stand there', () => {
  expect(parsed('many')).toBe('expected "auto" or an integer, not "many"');
});

test('the default and the schema say the same', () => {
  expect(lanes.initial).toBe('auto');
  expect(lanes.schema).toEqual({
    anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 0, maximum: 8 }],
  });
});
