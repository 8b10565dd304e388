import { expect, it } from 'vitest';
import { ucxNames } from './field.ts';

it.each(['', 'auto', 'rc,tcp', '^posix', '\\\\tcp', 'mlx5_0:1, eth0'])(
  'UCX is given %j',
  (value) => {
    expect(ucxNames('tls', 'auto').parse(value, () => undefined)).toBe(value);
  },
);

it.each(['\u001b]0;x\u0007', 'tcp\n', '\u009b8m', '\u202e'])('UCX is not given %j', (value) => {
  const said: string[] = [];
  const report = (_path: readonly string[], message: string): void => void said.push(message);
  expect(ucxNames('tls', 'auto').parse(value, report)).toBeUndefined();
  expect(said.join()).toContain('names that UCX knows');
});
