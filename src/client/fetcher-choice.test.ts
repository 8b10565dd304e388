import { expect, test } from 'vitest';
import type { NeedleFetcher, TargetState } from '../rdma/needle-fetcher.ts';
import { chooseFetcher } from './fetcher-choice.ts';

const up: TargetState = { kind: 'up', transport: 'tcp', sessionId: 1n };
const connecting: TargetState = { kind: 'connecting' };

function target(
  address: string,
  state: TargetState,
  volumes: Readonly<Record<number, 'confirmed' | 'unconfirmed'>> = {},
): NeedleFetcher {
  const rows = Object.entries(volumes).map(([id, is]) => {
    const volumeId = Number(id);
    return [
      volumeId,
      { volumeId, version: 3, collection: '', confirmed: is === 'confirmed' },
    ] as const;
  });
  return { address, state, volumes: new Map(rows) } as unknown as NeedleFetcher;
}

function down(address: string, status: 'not_connected' | 'unauthorized'): NeedleFetcher {
  return target(address, { kind: 'down', status, detail: `${status} there` });
}

/** Whom volume 3 is asked of; "wait"; or the status. */
function choice(
  fetchers: readonly NeedleFetcher[],
  more: { asked?: string; isNew?: string; slow?: string } = {},
): string {
  const asked = new Set(fetchers.filter(({ address }) => address === more.asked));
  const chosen = chooseFetcher(fetchers, 3, asked, {
    isNew: ({ address }) => address === more.isNew,
    isSlow: ({ address }) => address === more.slow,
  });
  if (chosen.kind === 'ask') return chosen.fetcher.address;
  return chosen.kind === 'wait' ? 'wait' : chosen.status;
}

test('who serves the volume is asked, the first of several, while others are being connected', () => {
  const other = target('a', up, { 8: 'confirmed' });
  const late = target('b', connecting);
  const serving = target('c', up, { 3: 'confirmed' });
  const replica = target('d', up, { 3: 'confirmed' });
  expect(choice([other, late, serving, replica])).toBe('c');
  expect(choice([other, late, serving, replica], { asked: 'c' })).toBe('d');
});

test('who was slow lately is asked after its replicas, and alone all the same', () => {
  const first = target('a', up, { 3: 'confirmed' });
  const replica = target('b', up, { 3: 'confirmed' });
  expect(choice([first, replica], { slow: 'a' })).toBe('b');
  expect(choice([first], { slow: 'a' })).toBe('a');
  expect(choice([first, replica], { slow: 'a', asked: 'b' })).toBe('a');
});

test('while a target may yet announce it, it is waited for', () => {
  const unconfirmed = target('a', up, { 3: 'unconfirmed' });
  expect(choice([unconfirmed, target('b', connecting)])).toBe('wait');
  expect(choice([unconfirmed], { isNew: 'a' })).toBe('wait');
  expect(choice([target('b', up)], { isNew: 'b' })).toBe('wait');
});

test('then who has it unconfirmed, then who is up at all', () => {
  const unconfirmed = target('b', up, { 3: 'unconfirmed' });
  const without = target('a', up, { 8: 'confirmed' });
  expect(choice([without, unconfirmed])).toBe('b');
  expect(choice([without, unconfirmed], { asked: 'b' })).toBe('a');
});

test('of targets that are all down it is said why; a wrong secret first', () => {
  expect(choice([down('a', 'not_connected')])).toBe('not_connected');
  expect(choice([down('a', 'not_connected'), down('b', 'unauthorized')])).toBe('unauthorized');
  const nothing = { isNew: () => false, isSlow: () => false };
  const nobody = chooseFetcher([down('a', 'not_connected')], 3, new Set(), nothing);
  expect(nobody).toMatchObject({ detail: 'a is down: not_connected there' });
});
