/** The size of the cache, which the program can choose by the memory that there is. */
import { totalmem } from 'node:os';
import { type Field, size } from './field.ts';

const share = 1 / 4;
const bytesMax = 4 * 2 ** 30;
const mebibyte = 2 ** 20;

/** The machine's, or what its control group may have of it. */
export function memoryBytes(): number {
  const machine = totalmem();
  const group = process.constrainedMemory();
  return group > 0 ? Math.min(machine, group) : machine;
}

/** A quarter of the memory that there is, at most 4 GiB. */
export function autoCacheBytes(): number {
  return Math.floor(Math.min(memoryBytes() * share, bytesMax) / mebibyte) * mebibyte;
}

/** A size, or "auto". */
export function cacheSize(key: string): Field<number> {
  const field = size(key, '0B');
  return {
    ...field,
    initial: 'auto',
    schema: { anyOf: [{ const: 'auto' }, field.schema] },
    parse: (raw, report) => (raw === 'auto' ? autoCacheBytes() : field.parse(raw, report)),
  };
}
