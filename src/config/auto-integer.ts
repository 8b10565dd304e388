/** A number that the program can choose by itself. */
import { type Field, optionalInteger, type Range } from './field.ts';

/** An integer, or "auto": the program chooses one. */
export function integerOrAuto(key: string, range: Range): Field<number | 'auto'> {
  const { schema, parse } = optionalInteger(key, range);
  return {
    key,
    kind: 'string',
    initial: 'auto',
    schema: { anyOf: [{ const: 'auto' }, schema] },
    parse(raw, report) {
      if (raw === 'auto') return raw;
      if (typeof raw === 'string' && !/^[0-9]+$/.test(raw)) {
        report([], `expected "auto" or an integer, not "${raw}"`);
        return undefined;
      }
      return parse(typeof raw === 'string' ? Number(raw) : raw, report);
    },
  };
}
