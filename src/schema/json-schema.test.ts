import { describe, expect, test } from 'vitest';
import {
  count,
  described,
  input,
  optional,
  orAbsent,
  record,
  recordOf,
  text,
  withDefault,
  zeros,
} from './json-schema.ts';

describe('a record', () => {
  test('requires its properties, save those that may be absent', () => {
    const schema = record({
      always: text,
      maybe: described(orAbsent(text), 'Absent at times.'),
      left: described(optional(text), 'Left out at times.'),
    });
    expect(schema).toMatchObject({ type: 'object', required: ['always'] });
    expect(Object.keys(schema.properties)).toEqual(['always', 'maybe', 'left']);
    expect(record({ maybe: orAbsent(text) })).not.toHaveProperty('required');
  });

  test('of an input takes nothing else, and requires no property that has a default', () => {
    const schema = input({ limit: withDefault(count, 3), name: text });
    expect(schema).toMatchObject({ required: ['name'], additionalProperties: false });
    expect(schema.properties.limit).toMatchObject({ type: 'integer', default: 3 });
  });

  test('of counts makes its counters, each set with numbers of its own', () => {
    const schema = record({ hits: count, left: recordOf(['old', 'gone'], count) });
    const counters = zeros(schema);
    expect(counters).toEqual({ hits: 0, left: { old: 0, gone: 0 } });
    counters.left.old += 1;
    expect(zeros(schema).left.old).toBe(0);
  });
});
