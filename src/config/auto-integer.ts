/** A number that the program can choose by itself. */
import { type Field, optionalInteger, type Range } from './field.ts';

/** An integer, or "auto". */
export function integerOrAuto(key: string, range: Range): Field<number | 'auto'> {
  const { schema, parse } = optionalInteger(key, range);
  return {
    key,
    kind: 'integer',
    initial: 'auto',
    schema: { anyOf: [{ const: 'auto' }, schema] },
    parse(raw, report) {
      if (raw === 'auto') return raw;
      if (typeof raw !== 'string') return parse(raw, report);
      report([], `expected "auto" or an integer, not "${raw}"`);
      return undefined;
    },
  };
}
