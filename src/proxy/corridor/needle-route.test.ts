import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bigNeedle, ScriptedFetcher } from '../../../test/unit/scripted-fetcher.ts';
import { bufferedKey } from '../../needle/answer/rust-answer.ts';
import {
  type BytesRoute,
  type NeedleOutcome,
  type NeedleRoute,
  outcomeOf,
} from '../../needle/needle-outcome.ts';
import type { BytesRead } from '../../needle/request/bytes-read.ts';
import { signReadToken } from '../../needle/token/sign-read-token.ts';
import type { StatusName } from '../../rdma/status.ts';
import { LearnedFacts } from '../fleet/learned-facts.ts';
import { TargetDirectory, targetEntry } from '../fleet/target-directory.ts';
import { createNeedleRoute, type NeedleRouteOptions } from './needle-route.ts';

const upstreamUrl = 'http://127.0.0.1:1';
const target = '/3,0700000009';

interface Corridor {
  readonly route: NeedleRoute & BytesRoute;
  readonly fetcher: ScriptedFetcher;
  readonly facts: LearnedFacts;
}

function corridor(change: Partial<NeedleRouteOptions> = {}): Corridor {
  const fetcher = new ScriptedFetcher();
  const small = { ...bigNeedle, dataBytes: 10, indexBytes: 15, isStream: false };
  fetcher.needle = small;
  const facts = new LearnedFacts();
  facts.learnProbe({ server: 'S', kind: 'go', requiresToken: false, sentAt: performance.now() });
  const options: NeedleRouteOptions = {
    mode: 'prefer',
    onCorrupt: 'pass',
    needleBytesMax: 1 << 26,
    decodedBytesMax: 1 << 26,
    timeoutMs: 1000,
    readKey: () => undefined,
    ...change,
  };
  const directory = new TargetDirectory([targetEntry(upstreamUrl, fetcher, facts)]);
  return { route: createNeedleRoute(options, directory), fetcher, facts };
}

async function get(
  { route }: Corridor,
  rawHeaders: readonly string[] = [],
  path: string = target,
): Promise<NeedleOutcome> {
  return await outcomeOf(
    route,
    { method: 'GET', target: path, rawHeaders: ['Host', 'volume.test', ...rawHeaders] },
    false,
  );
}

describe('the corridor', () => {
  it('answers a plain read and holds its lease until release', async () => {
    const rooms = corridor();
    const outcome = await get(rooms);
    if (outcome.kind !== 'answer') throw new Error(JSON.stringify(outcome));
    expect(outcome.source).toBe('rdma');
    expect(outcome.transport).toBe('scripted');
    expect(outcome.answer.head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(Buffer.concat(outcome.answer.body)).toEqual(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
    expect(rooms.fetcher.leasesOut).toBe(1);
    outcome.release();
    outcome.release();
    expect(rooms.fetcher.leasesOut).toBe(0);
  });

  it('asks again when the needle changed between two reads of it, and gives up in the end', async () => {
    const rooms = corridor();
    rooms.fetcher.needle = bigNeedle;
    let epoch = 11n;
    const read = rooms.fetcher.read.bind(rooms.fetcher);
    rooms.fetcher.read = (command) => {
      epoch += 1n;
      rooms.fetcher.needle = { ...bigNeedle, epoch };
      return read(command);
    };
    const outcome = await get(rooms, ['Range', 'bytes=-5']);
    expect(outcome).toMatchObject({ kind: 'passthrough', reason: 'deadline' });
    expect(rooms.fetcher.commands).toHaveLength(6);
    expect(rooms.fetcher.leasesOut).toBe(0);
  });

  it.each([
    ['not_found', 'not-found'],
    ['deleted', 'deleted'],
    ['cookie_mismatch', 'cookie'],
    ['expired', 'ttl'],
    ['empty', 'cookie'],
    ['corrupt', 'corrupt'],
    ['too_large', 'too-large'],
    ['no_slab', 'no-slab'],
    ['deadline', 'deadline'],
    ['peer_lost', 'target-down'],
    ['volume_unconfirmed', 'volume-unconfirmed'],
  ] as const)('passes the status %s with the reason %s', async (status, reason) => {
    const rooms = corridor();
    rooms.fetcher.failure = { kind: 'failed', status };
    expect(await get(rooms)).toEqual({ kind: 'passthrough', reason, upstreamUrl });
  });

  it.each([
    ['peer_lost', 503],
    ['deadline', 504],
    ['no_slab', 503],
  ] as const)('in require mode the trouble %s becomes %i', async (status, expected) => {
    const rooms = corridor({ mode: 'require' });
    rooms.fetcher.failure = { kind: 'failed', status };
    expect(await get(rooms)).toMatchObject({ kind: 'error', status: expected });
  });

  it.each(['not_found', 'cookie_mismatch', 'corrupt', 'volume_unconfirmed'] as const)(
    'in require mode %s still passes for its meaning',
    async (status: Exclude<StatusName, 'ok'>) => {
      const rooms = corridor({ mode: 'require' });
      rooms.fetcher.failure = { kind: 'failed', status };
      expect((await get(rooms)).kind).toBe('passthrough');
    },
  );

  it('refuses a corrupt needle where it is told to', async () => {
    const rooms = corridor({ onCorrupt: 'refuse' });
    rooms.fetcher.failure = { kind: 'failed', status: 'corrupt' };
    expect(await get(rooms)).toEqual({ kind: 'error', status: 502, reason: 'corrupt' });
  });

  it('opens the breaker after trouble in a row', async () => {
    const rooms = corridor();
    rooms.fetcher.failure = { kind: 'failed', status: 'deadline' };
    for (let i = 0; i < 5; i += 1) await get(rooms);
    expect(await get(rooms)).toMatchObject({ kind: 'passthrough', reason: 'breaker' });
    expect(rooms.fetcher.commands).toHaveLength(5);
  });

  it('leaves a ttl needle near its end to the volume server', async () => {
    const rooms = corridor();
    rooms.fetcher.needle = { ...rooms.fetcher.needle, ttlLeftMs: 1999 };
    expect(await get(rooms)).toMatchObject({ kind: 'passthrough', reason: 'ttl' });
    expect(rooms.fetcher.leasesOut).toBe(0);
  });

  it('passes everything while it is unknown whether reads need tokens', async () => {
    const rooms = corridor();
    rooms.facts.learnProbe({
      server: 'S',
      kind: 'go',
      requiresToken: true,
      sentAt: performance.now(),
    });
    expect(await get(rooms)).toMatchObject({ kind: 'passthrough', reason: 'auth-unknown' });
    expect(rooms.fetcher.commands).toHaveLength(0);
  });

  it('answers a server in Rust only what is asked plainly', async () => {
    const rooms = corridor();
    const passed = { kind: 'passthrough', reason: 'unsupported-server' };
    rooms.facts.learnProbe({
      server: 'S',
      kind: 'rust',
      requiresToken: false,
      sentAt: performance.now(),
    });
    rooms.facts.learnType(bufferedKey, 'counted');
    expect(await get(rooms)).toMatchObject({ kind: 'answer' });
    expect(await get(rooms, ['Origin', 'http://a'])).toMatchObject(passed);
    rooms.facts.learnType(bufferedKey, 'tracked');
    expect(await get(rooms)).toMatchObject(passed);
  });

  it('passes a read without a token when a key is configured', async () => {
    const rooms = corridor({ readKey: () => 'secret' });
    expect(await get(rooms)).toMatchObject({ kind: 'passthrough', reason: 'auth' });
  });

  it.each([
    ['/3,0700000009', { method: 'PUT', hasBody: true }, 'method'],
    ['/3,0700000009', { method: 'GET', hasBody: true }, 'body'],
    ['/status', { method: 'GET', hasBody: false }, 'path'],
    ['/4,0700000009', { method: 'GET', hasBody: false }, 'unknown-volume'],
  ] as const)('passes %s %o with the reason %s', async (path, { method, hasBody }, reason) => {
    const { route } = corridor();
    const outcome = await outcomeOf(
      route,
      { method, target: path, rawHeaders: ['Host', 'volume.test'] },
      hasBody,
    );
    expect(outcome).toMatchObject({ kind: 'passthrough', reason });
  });

  it('says target-down for a volume of a target that is not up', async () => {
    const rooms = corridor();
    rooms.fetcher.state = { kind: 'down', status: 'peer_lost', detail: '' };
    expect(await get(rooms)).toMatchObject({ kind: 'passthrough', reason: 'target-down' });
    expect(await get(rooms, [], '/4,0700000009')).toMatchObject({ reason: 'target-down' });
  });

  it('asks for no token facts before the target is up', async () => {
    const rooms = corridor({ mode: 'require' });
    rooms.facts.learnProbe({
      server: 'S',
      kind: 'go',
      requiresToken: true,
      sentAt: performance.now(),
    });
    rooms.fetcher.state = { kind: 'connecting' };
    expect(await get(rooms)).toEqual({ kind: 'error', status: 503, reason: 'target-down' });
  });

  it.each(['prefer', 'require'] as const)(
    'says upstream-down in mode %s for what a volume server that does not answer leaves unknown',
    async (mode) => {
      const rooms = corridor({ mode });
      rooms.facts.missProbe('down', 'connect ECONNREFUSED');
      const passed = { kind: 'passthrough', reason: 'upstream-down', upstreamUrl };
      rooms.fetcher.failure = { kind: 'failed', status: 'volume_unconfirmed' };
      expect(await get(rooms)).toEqual(passed);
      rooms.fetcher.volumes.set(3, { volumeId: 3, version: 3, confirmed: false, collection: '' });
      expect(await get(rooms)).toEqual(passed);
      rooms.facts.learnProbe({
        server: 'S',
        kind: 'go',
        requiresToken: true,
        sentAt: performance.now(),
      });
      rooms.facts.missProbe('down', 'connect ECONNREFUSED');
      expect(await get(rooms)).toEqual(passed);
    },
  );

  it('passes a volume that its server has not confirmed', async () => {
    const rooms = corridor();
    rooms.fetcher.volumes.set(3, { volumeId: 3, version: 3, confirmed: false, collection: '' });
    expect(await get(rooms)).toMatchObject({ kind: 'passthrough', reason: 'volume-unconfirmed' });
  });
});

describe('a read of bytes that came as no HTTP request', () => {
  const bytesRead: BytesRead = {
    volumeId: 3,
    needleId: 7n,
    cookie: 9,
    claimedFid: '3,0700000009',
    range: undefined,
    token: undefined,
  };

  it.each([
    ['all of the needle', undefined, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['a range', { start: 2, end: 5 }, [2, 3, 4]],
    ['a range that goes beyond the end', { start: 8, end: 100 }, [8, 9]],
    ['nothing at the end', { start: 10, end: 20 }, []],
  ])('gives %s, and the size of the whole needle', async (_, range, bytes) => {
    const rooms = corridor();
    const outcome = await rooms.route.read({ ...bytesRead, range });
    if (outcome.kind !== 'answer') throw new Error(JSON.stringify(outcome));
    expect(Buffer.concat(outcome.answer.body)).toEqual(Buffer.from(bytes));
    expect(outcome.answer.totalBytes).toBe(10);
    outcome.release();
    expect(rooms.fetcher.leasesOut).toBe(0);
  });

  it('decodes what is stored as gzip, and gives the size that it has then', async () => {
    const rooms = corridor();
    const text = Buffer.from('the quick brown fox '.repeat(50));
    const stored = gzipSync(text);
    rooms.fetcher.needle = { ...rooms.fetcher.needle, dataBytes: stored.length, flags: 1 };
    const read = rooms.fetcher.read.bind(rooms.fetcher);
    rooms.fetcher.read = async (command) => {
      const result = await read(command);
      if (result.kind === 'needle') stored.copy(result.data?.view ?? Buffer.alloc(0));
      return result;
    };
    const outcome = await rooms.route.read({ ...bytesRead, range: { start: 4, end: 9 } });
    if (outcome.kind !== 'answer') throw new Error(JSON.stringify(outcome));
    expect(String(Buffer.concat(outcome.answer.body))).toBe('quick');
    expect(outcome.answer.totalBytes).toBe(text.length);
    outcome.release();
  });

  it('learns no type for a needle that has none', async () => {
    const rooms = corridor();
    rooms.fetcher.needle = { ...rooms.fetcher.needle, name: 'a.unheard', mime: '' };
    expect(await get(rooms)).toMatchObject({ kind: 'passthrough', reason: 'learn-type' });
    expect(await rooms.route.read(bytesRead)).toMatchObject({ kind: 'answer' });
  });

  it('wants a token for this needle when a key is configured', async () => {
    const rooms = corridor({ readKey: () => 'secret' });
    const passed = { kind: 'passthrough', reason: 'auth', upstreamUrl };
    const expires = Math.floor(Date.now() / 1000) + 60;
    const tokenFor = (fid: string): string => signReadToken('secret', fid, expires);
    expect(await rooms.route.read(bytesRead)).toEqual(passed);
    expect(await rooms.route.read({ ...bytesRead, token: tokenFor('3,08') })).toEqual(passed);
    const token = tokenFor(bytesRead.claimedFid);
    expect(await rooms.route.read({ ...bytesRead, token })).toMatchObject({ kind: 'answer' });
  });

  it('is left to the volume server where the corridor does not answer', async () => {
    const rooms = corridor();
    rooms.fetcher.failure = { kind: 'failed', status: 'deleted' };
    const passed = { kind: 'passthrough', reason: 'deleted', upstreamUrl };
    expect(await rooms.route.read(bytesRead)).toEqual(passed);
    expect(await rooms.route.read({ ...bytesRead, volumeId: 4 })).toMatchObject({
      kind: 'passthrough',
      reason: 'unknown-volume',
    });
  });
});
