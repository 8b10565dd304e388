import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { statusNumbers } from '../rdma/status.ts';
import { NeedleReadError, type ReadFailure, readFailures } from './read-error.ts';

const needle = { volumeId: 3, needleId: 0x1fn };

test('every status but ok is a failure, and client.md explains each as the table has it', () => {
  const statuses = Object.keys(statusNumbers).filter((status) => status !== 'ok');
  expect(Object.keys(readFailures)).toEqual(statuses);
  const page = readFileSync(join(import.meta.dirname, '../../docs/client.md'), 'utf8');
  const explained = [...page.matchAll(/^\| `([a-z_]+)` \| ([a-z]+) \| (yes|no) \|/gm)];
  expect(explained.map(([, status, fault, retryable]) => [status, fault, retryable])).toEqual(
    Object.entries(readFailures).map(([status, row]) => [
      status,
      row.fault,
      row.retryable ? 'yes' : 'no',
    ]),
  );
});

test('what may succeed later may succeed at another target too', () => {
  const wrong = Object.entries(readFailures).filter(
    ([, { retryable, asksAnother }]) => retryable && !asksAnother,
  );
  expect(wrong).toEqual([]);
});

test('an error names the needle without its cookie, who was asked, and why', () => {
  const error = new NeedleReadError('no_slab' satisfies ReadFailure, needle, 'a:1', 'detail');
  expect(error.message).toBe(
    'needle 3,1f…: no_slab, no memory is free: release needles, or connect with more memoryBytes (target a:1): detail',
  );
  expect(error).toMatchObject({
    status: 'no_slab',
    fault: 'client',
    retryable: true,
    target: 'a:1',
  });
  expect(new NeedleReadError('closed', needle).target).toBeUndefined();
});
