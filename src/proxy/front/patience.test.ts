import { expect, test } from 'vitest';
import { halfClosedMs } from '../../connections/paced-connection.ts';
import { type FrontLimits, lingerMs } from './limits.ts';
import { patienceMs, type Standing } from './patience.ts';

const limits = { headTimeoutMs: 10, idleTimeoutMs: 20 } as FrontLimits;
const forEver = Number.POSITIVE_INFINITY;

const rows: readonly (readonly [says: string, standing: Partial<Standing>, ms: number])[] = [
  ['a client with nothing in hand', { state: 'head' }, 20],
  ['a part of a head', { state: 'head', hasUnread: true }, 10],
  ['a client that does not take its answer', { state: 'busy', isSending: true }, 20],
  [
    'such a client, behind a part of a head',
    { state: 'head', isSending: true, hasUnread: true },
    20,
  ],
  ['a request under way', { state: 'busy' }, forEver],
  ['a request of a client that sends no more', { state: 'busy', inputEnded: true }, halfClosedMs],
  ['a connection that a lane has', { state: 'lane' }, forEver],
  ['a connection that waits for its turn', { state: 'waiting', hasUnread: true }, forEver],
  ['a pipe', { state: 'raw' }, forEver],
  ['a connection that is being closed', { state: 'closing' }, lingerMs],
  ['such a connection, with bytes on their way', { state: 'closing', isSending: true }, 20],
];

test.each(rows)('%s is waited for so long', (_, standing, ms) => {
  const still = { state: 'head', isSending: false, hasUnread: false, inputEnded: false } as const;
  expect(patienceMs({ ...still, ...standing }, limits)).toBe(ms);
});
