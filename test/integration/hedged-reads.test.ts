/** Hedged reads through the front, the corridor and the relay: a target and a volume server that a test answers for by hand. */
import { afterEach, expect, test } from 'vitest';
import { NeedleCache } from '../../src/proxy/cache/needle-cache.ts';
import { createNeedleRoute } from '../../src/proxy/corridor/needle-route.ts';
import { LearnedFacts } from '../../src/proxy/fleet/learned-facts.ts';
import { TargetDirectory, targetEntry } from '../../src/proxy/fleet/target-directory.ts';
import { CacheMemory } from '../../src/rdma/cache-memory.ts';
import { ManualFetcher } from '../unit/manual-fetcher.ts';
import {
  eventually,
  type FrontFixture,
  ok,
  type RawClient,
  startFront,
  startUpstream,
  type UpstreamFixture,
} from './http-front-fixture.ts';

const memory = new CacheMemory({ bytes: 64 * 1024 * 1024, hugepages: 'off' });

const path = '/3,0700000009';
const get = `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const needle = Buffer.from('the needle');
const afterMs = 20;

class Stage {
  readonly fetcher: ManualFetcher = new ManualFetcher();
  readonly upstream: UpstreamFixture;
  readonly front: FrontFixture;
  readonly client: RawClient;
  readonly #winners: () => Readonly<Record<string, number>> | undefined;

  private constructor(
    parts: Pick<Stage, 'fetcher' | 'upstream' | 'front'> & {
      readonly cache: NeedleCache;
      readonly winners: () => Readonly<Record<string, number>> | undefined;
    },
  ) {
    this.fetcher = parts.fetcher;
    this.upstream = parts.upstream;
    this.front = parts.front;
    this.client = parts.front.connect();
    this.#winners = parts.winners;
  }

  static async open(): Promise<Stage> {
    const upstream = await startUpstream(() => undefined);
    const fetcher = new ManualFetcher();
    const facts = new LearnedFacts();
    const server = { server: 'S 1', kind: 'go', requiresToken: false } as const;
    facts.learnProbe({ ...server, sentAt: performance.now() });
    const hedge = { afterMsMin: afterMs, afterMsMax: afterMs, percentMax: 100 };
    const entry = targetEntry(upstream.url, fetcher, facts, hedge);
    const cache = new NeedleCache({
      bytesMax: 1 << 20,
      decodedBytesMax: 1 << 20,
      policyOf: () => ({ consistency: 'immutable', leaseMs: 0 }),
      timeoutMs: 10_000,
      validationsMax: 1,
      ttlMarginMs: 2_000,
      memory,
    });
    const options = {
      mode: 'prefer',
      onCorrupt: 'pass',
      needleBytesMax: 1 << 26,
      decodedBytesMax: 1 << 26,
      timeoutMs: 10_000,
      readKey: () => undefined,
    } as const;
    const route = createNeedleRoute(options, new TargetDirectory([entry]), cache);
    const front = await startFront({ upstreamUrl: upstream.url, route, debugHeaders: true });
    const winners = (): Readonly<Record<string, number>> | undefined =>
      entry.hedging?.counts.winners;
    return new Stage({ fetcher, upstream, front, cache, winners });
  }

  /** Resolves when both are asked. */
  async race(request = get): Promise<void> {
    this.client.send(request);
    await eventually(() => this.fetcher.reads.length > 0 && this.upstream.received.length > 0);
  }

  fromUpstream(text: string): void {
    this.upstream.received.at(-1)?.socket.write(text);
  }

  fromTarget(): void {
    this.fetcher.reads.shift()?.needle(needle);
  }

  get outcomes(): readonly (readonly [string, string])[] {
    return this.front.records.map(({ outcome, reason }) => [outcome, reason]);
  }

  get winners(): Readonly<Record<string, number>> | undefined {
    return this.#winners();
  }

  /** Leases that the cache does not hold. */
  get leasesAstray(): number {
    return this.fetcher.leasesOut;
  }

  async close(): Promise<void> {
    await this.front.close();
    await this.upstream.close();
  }
}

let stage: Stage;
afterEach(() => stage.close());

const answered = (body: string) => (received: string) => received.endsWith(body);

test('the volume server answers first: its bytes go out, and the late needle is dropped', async () => {
  stage = await Stage.open();
  await stage.race();
  stage.fromUpstream(ok);
  const received = await stage.client.until(answered('ok'));
  expect(received).toContain('X-Rdma-Source: passthrough;reason=hedged');
  stage.fromTarget();
  await eventually(() => stage.leasesAstray === 0);
  expect(stage.outcomes).toEqual([['passthrough', 'hedged']]);
  expect(stage.winners).toEqual({ http: 1, fabric: 0, neither: 0 });
  // The needle came too late for this client, and in time for the next one.
  stage.client.send(get);
  await stage.client.until(answered('the needle'));
  expect(stage.outcomes.at(-1)).toEqual(['cache', '']);
  expect(stage.client.received.split('HTTP/1.1 200').length - 1).toBe(2);
});

test('the target answers first: the connection to the volume server is closed, not one byte of it goes out', async () => {
  stage = await Stage.open();
  await stage.race();
  stage.fromUpstream('HTTP/1.1 200 OK\r\nContent-');
  stage.fromTarget();
  await stage.client.until(answered('the needle'));
  await eventually(() => stage.upstream.sockets.size === 0);
  expect(stage.outcomes).toEqual([['rdma', '']]);
  expect(stage.winners).toEqual({ http: 0, fabric: 1, neither: 0 });
  stage.client.send('GET /status HTTP/1.1\r\nHost: a\r\n\r\n');
  await eventually(() => stage.upstream.received.length === 2);
  stage.fromUpstream(ok);
  await stage.client.until(answered('ok'));
  expect(stage.client.received.split('HTTP/1.1 200').length - 1).toBe(2);
});

test.each([
  ['closes the connection', (socket: { destroy(): void }) => void socket.destroy()],
  [
    'answers with an error',
    (socket: { write(text: string): void }) =>
      socket.write('HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n'),
  ],
  [
    'sends no valid answer',
    (socket: { write(text: string): void }) => socket.write('HTTP/1.1 2000 OK\r\n\r\n'),
  ],
])('the volume server %s: the target is awaited', async (_, fail) => {
  stage = await Stage.open();
  await stage.race();
  fail(stage.upstream.received.at(-1)?.socket as never);
  await eventually(() => stage.upstream.sockets.size === 0);
  expect(stage.client.received).toBe('');
  stage.fromTarget();
  await stage.client.until(answered('the needle'));
  expect(stage.outcomes).toEqual([['rdma', '']]);
});

test('the target fails first: the request that is under way counts, with the reason of the failure', async () => {
  stage = await Stage.open();
  await stage.race();
  stage.fetcher.reads.shift()?.answer({ kind: 'failed', status: 'deadline' });
  stage.fromUpstream(ok);
  await stage.client.until(answered('ok'));
  expect(stage.upstream.received).toHaveLength(1);
  expect(stage.outcomes).toEqual([['passthrough', 'deadline']]);
});

test('both fail: the request is forwarded once more, as it would have been', async () => {
  stage = await Stage.open();
  await stage.race();
  stage.upstream.received[0]?.socket.destroy();
  await eventually(() => stage.upstream.sockets.size === 0);
  stage.fetcher.reads.shift()?.answer({ kind: 'failed', status: 'deadline' });
  await eventually(() => stage.upstream.received.length === 2);
  stage.fromUpstream(ok);
  await stage.client.until(answered('ok'));
  expect(stage.outcomes).toEqual([['passthrough', 'deadline']]);
});

test('the client goes away: the volume server is not kept busy, and the read is counted once', async () => {
  stage = await Stage.open();
  await stage.race();
  stage.client.socket.destroy();
  await eventually(() => stage.upstream.sockets.size === 0);
  stage.fromTarget();
  await eventually(() => stage.leasesAstray === 0 && stage.outcomes.length === 1);
  expect(stage.outcomes).toEqual([['rdma', '']]);
});

test('the client goes away and the target fails: the read is counted once', async () => {
  stage = await Stage.open();
  await stage.race();
  stage.fetcher.reads.shift()?.answer({ kind: 'failed', status: 'deadline' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  stage.client.socket.destroy();
  await eventually(() => stage.outcomes.length === 1);
  expect(stage.outcomes).toEqual([['passthrough', 'deadline']]);
});

test('the volume server ends its answer midway: so is the answer to the client, and nothing is added', async () => {
  stage = await Stage.open();
  await stage.race();
  stage.fromUpstream('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
  await stage.client.until(answered('half'));
  stage.fromTarget();
  stage.upstream.received[0]?.socket.destroy();
  await stage.client.untilClosed();
  expect(stage.client.received.endsWith('half')).toBe(true);
  await eventually(() => stage.leasesAstray === 0);
  expect(stage.outcomes).toEqual([['error', 'hedged']]);
});

test('a read whose client expects 100 Continue is not hedged', async () => {
  stage = await Stage.open();
  stage.client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n`);
  await eventually(() => stage.fetcher.reads.length > 0);
  await new Promise((resolve) => setTimeout(resolve, afterMs * 4));
  expect(stage.upstream.received).toEqual([]);
  stage.fromTarget();
  await stage.client.until(answered('the needle'));
});

test('a HEAD is hedged, a read with a body is not', async () => {
  stage = await Stage.open();
  await stage.race(`HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  stage.fromUpstream('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
  await stage.client.until((received) => received.endsWith('\r\n\r\n'));
  expect(stage.outcomes).toEqual([['passthrough', 'hedged']]);
  stage.client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`);
  await eventually(() => stage.upstream.received.length === 2);
  stage.fromUpstream(ok);
  await stage.client.until(answered('ok'));
  expect(stage.outcomes.at(-1)).toEqual(['passthrough', 'body']);
});
