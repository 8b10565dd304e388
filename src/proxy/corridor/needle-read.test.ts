/** Reads through the corridor with a cache: what comes from it equals what comes from the target. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ScriptedFetcher } from '../../../test/unit/scripted-fetcher.ts';
import { formatHttpTime } from '../../needle/answer/http-time.ts';
import { type NeedleOutcome, outcomeOf } from '../../needle/needle-outcome.ts';
import { etagOf } from '../../needle/record.ts';
import { CacheMemory } from '../../rdma/cache-memory.ts';
import type { Needle, ReadCommand } from '../../rdma/needle-fetcher.ts';
import type { CachePolicy } from '../cache/cache-policy.ts';
import { NeedleCache } from '../cache/needle-cache.ts';
import { LearnedFacts } from '../fleet/learned-facts.ts';
import { TargetDirectory, targetEntry } from '../fleet/target-directory.ts';
import { createNeedleRoute } from './needle-route.ts';

const memory = new CacheMemory({ bytes: 64 * 1024 * 1024, hugepages: 'off' });

const text = Buffer.from('the quick brown fox jumps over the lazy dog '.repeat(20));
const path = '/3,0700000009';

/** A ScriptedFetcher with bytes of the test's choice. */
class BytesFetcher extends ScriptedFetcher {
  bytes: Buffer = text;

  override async read(command: ReadCommand): ReturnType<ScriptedFetcher['read']> {
    const result = await super.read(command);
    if (result.kind === 'needle' && result.data !== undefined) {
      const { offset, view } = result.data;
      this.bytes.copy(view, 0, offset, offset + view.length);
    }
    return result;
  }
}

class Corridor {
  readonly fetcher = new BytesFetcher();
  readonly facts = new LearnedFacts();
  readonly cache: NeedleCache;
  readonly serve: (
    method: string,
    target: string,
    headers: readonly string[],
  ) => NeedleOutcome | Promise<NeedleOutcome>;

  constructor(change: Partial<Needle> = {}, bytes: Buffer = text, policy: CachePolicy = immutable) {
    this.fetcher.bytes = bytes;
    this.fetcher.needle = {
      ...this.fetcher.needle,
      dataBytes: bytes.length,
      indexBytes: bytes.length + 5,
      isStream: false,
      mime: 'text/plain',
      name: 'fox.txt',
      lastModifiedSeconds: 1_700_000_000,
      ...change,
    };
    this.facts.learnProbe({
      server: 'S 1',
      kind: 'go',
      requiresToken: false,
      sentAt: performance.now(),
    });
    const entry = targetEntry('http://127.0.0.1:1', this.fetcher, this.facts);
    this.cache = new NeedleCache({
      bytesMax: 1 << 20,
      decodedBytesMax: 1 << 20,
      policyOf: () => policy,
      timeoutMs: 1000,
      validationsMax: 1,
      ttlMarginMs: 2000,
      memory,
      onRoundTrip: (_, status) => entry.breaker.ended(status),
    });
    const options = {
      mode: 'prefer',
      onCorrupt: 'pass',
      needleBytesMax: 1 << 26,
      decodedBytesMax: 1 << 26,
      timeoutMs: 1000,
      readKey: () => undefined,
    } as const;
    const route = createNeedleRoute(options, new TargetDirectory([entry]), this.cache);
    this.serve = (method, target, headers) =>
      outcomeOf(route, { method, target, rawHeaders: ['Host', 'a', ...headers] }, false);
  }

  /** The answer as it would be sent, but for what differs each time; and who gave it. */
  async get(target = path, headers: readonly string[] = [], method = 'GET'): Promise<Sent> {
    const outcome = await this.serve(method, target, headers);
    if (outcome.kind !== 'answer') return { source: outcome.kind, head: outcome.reason, body: '' };
    const head = outcome.answer.head.replace(/^(X-Amz-Request-Id|Date): .*$/gm, '$1');
    const body = Buffer.concat(outcome.answer.body).toString('latin1');
    outcome.release();
    return { source: outcome.source, head, body };
  }

  get readCount(): number {
    return this.fetcher.commands.length;
  }
}

interface Sent {
  readonly source: string;
  readonly head: string;
  readonly body: string;
}

const unchanged = {
  volumeId: 3,
  epoch: 11n,
  position: 160n,
  verdict: 'changed',
  changedIds: [],
  leased: false,
} as const;

const immutable: CachePolicy = { consistency: 'immutable', leaseMs: 0 };

interface Way {
  readonly what: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly method: string;
}

const waysToAsk: readonly Way[] = [
  { what: 'plainly', target: path, headers: [], method: 'GET' },
  { what: 'with HEAD', target: path, headers: [], method: 'HEAD' },
  { what: 'from another origin', target: path, headers: ['Origin', 'http://b'], method: 'GET' },
  { what: 'as a download', target: `${path}?dl=true`, headers: [], method: 'GET' },
  {
    what: 'under another name',
    target: '/3/0700000009/other%20name.bin',
    headers: [],
    method: 'GET',
  },
  {
    what: 'under another name, as HEAD',
    target: '/3/0700000009/other.html',
    headers: [],
    method: 'HEAD',
  },
  { what: 'for the last time', target: path, headers: ['Connection', 'close'], method: 'GET' },
  { what: 'taking gzip', target: path, headers: ['Accept-Encoding', 'gzip'], method: 'GET' },
  { what: 'for a range', target: path, headers: ['Range', 'bytes=3-9'], method: 'GET' },
  { what: 'for the end', target: path, headers: ['Range', 'bytes=-7'], method: 'GET' },
  {
    what: 'for nothing that is there',
    target: path,
    headers: ['Range', 'bytes=99999-'],
    method: 'GET',
  },
  {
    what: 'with an etag that is another',
    target: path,
    headers: ['If-None-Match', '"00000000"'],
    method: 'GET',
  },
  { what: 'with its etag', target: path, headers: ['If-None-Match', '"00000001"'], method: 'GET' },
  {
    what: 'since then',
    target: path,
    headers: ['If-Modified-Since', 'Tue, 14 Nov 2023 22:13:20 GMT'],
    method: 'GET',
  },
  {
    what: 'with an override',
    target: `${path}?response-content-type=a%2Fb`,
    headers: [],
    method: 'GET',
  },
];

const kinds: readonly (readonly [what: string, change: Partial<Needle>, bytes: Buffer])[] = [
  ['a text', {}, text],
  ['one without a type', { mime: '', name: '' }, text],
  ['one that is gzip', { flags: 1 }, gzipSync(text)],
  ['one that only says so', { flags: 1 }, text],
  ['one with pairs', { pairs: '{"Seaweed-Tag":"x","Cache-Control":"no-store"}' }, text],
];

describe.each(kinds)('%s', (_, change, bytes) => {
  it.each(waysToAsk)(
    'asked for $what is the same from the cache, built and prepared',
    async ({ target, headers, method }) => {
      const uncached = await new Corridor(change, bytes).get(target, headers, method);
      const corridor = new Corridor(change, bytes);
      await corridor.get('/3,0700000009?x=fill');
      const reads = corridor.readCount;
      const built = await corridor.get(target, headers, method);
      const prepared = await corridor.get(target, headers, method);
      const again = await corridor.get(target, headers, method);
      if (uncached.source === 'rdma') {
        expect([built.source, prepared.source, again.source]).toEqual(['cache', 'cache', 'cache']);
        expect(corridor.readCount).toBe(reads);
      }
      const { source: _source, ...answer } = uncached;
      for (const each of [built, prepared, again]) expect(each).toMatchObject(answer);
    },
  );

  it('is never answered in the way of another question', async () => {
    const corridor = new Corridor(change, bytes);
    const expected = [];
    for (const { target, headers, method } of waysToAsk) {
      expected.push(await new Corridor(change, bytes).get(target, headers, method));
    }
    for (let round = 0; round < 3; round += 1) {
      for (const [index, { target, headers, method }] of waysToAsk.entries()) {
        const { head, body } = await corridor.get(target, headers, method);
        expect({ head, body }).toEqual({
          head: expected[index]?.head,
          body: expected[index]?.body,
        });
      }
    }
    corridor.cache.close();
    expect(corridor.fetcher.leasesOut).toBe(0);
  });
});

describe('a prepared answer', () => {
  it('is not used when the server is another one', async () => {
    const corridor = new Corridor();
    for (let i = 0; i < 3; i += 1) await corridor.get();
    corridor.facts.learnProbe({
      server: 'S 2',
      kind: 'go',
      requiresToken: false,
      sentAt: performance.now(),
    });
    expect((await corridor.get()).head).toContain('Server: S 2\r\n');
    expect((await corridor.get()).head).toContain('Server: S 2\r\n');
  });

  it('is not used when the type of its extension is another one', async () => {
    const corridor = new Corridor({ mime: '' });
    expect(await corridor.get()).toMatchObject({ source: 'passthrough', head: 'learn-type' });
    corridor.facts.learnType('.txt', 'text/one');
    for (let i = 0; i < 3; i += 1) expect((await corridor.get()).head).toContain('text/one');
    corridor.facts.learnType('.txt', 'text/two');
    for (let i = 0; i < 3; i += 1) expect((await corridor.get()).head).toContain('text/two');
  });

  it('has an id and a date of its own', async () => {
    const corridor = new Corridor();
    const ids = new Set<string>();
    for (let i = 0; i < 4; i += 1) {
      const outcome = await corridor.serve('GET', path, []);
      if (outcome.kind !== 'answer') throw new Error(outcome.reason);
      const [, id = ''] = /^X-Amz-Request-Id: (.*)\r$/m.exec(outcome.answer.head) ?? [];
      expect(outcome.answer.head).toMatch(/^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r$/m);
      ids.add(id);
      outcome.release();
    }
    expect(ids.size).toBe(4);
  });

  it('is not made where a needle`s own headers hold the marks of a template', async () => {
    const corridor = new Corridor({ pairs: '{"Seaweed-A":"x\\u0001y","Seaweed-B":"\\u0002"}' });
    const first = await corridor.get();
    for (let i = 0; i < 3; i += 1) expect((await corridor.get()).head).toBe(first.head);
    expect(first.head).toContain('Seaweed-A: x\u0001y\r\n');
  });
});

describe('a write', () => {
  it('drops its needle when it is forwarded and when it is answered', async () => {
    const corridor = new Corridor();
    await corridor.get();
    const write = await corridor.serve('PUT', '/3/0700000009/name.txt', []);
    if (write.kind !== 'passthrough') throw new Error(write.kind);
    expect(corridor.cache.stats().evictions.written).toBe(1);
    await corridor.get();
    expect(corridor.cache.stats().needles).toBe(1);
    write.settled?.(true);
    expect(corridor.cache.stats()).toMatchObject({ needles: 0, evictions: { written: 2 } });
  });

  it.each(['POST', 'DELETE', 'PUT'])('of any kind: %s', async (method) => {
    const corridor = new Corridor();
    await corridor.get();
    await corridor.serve(method, '/3,0600000009_1', []);
    expect(corridor.cache.stats().needles).toBe(0);
  });
});

describe('a question about a needle', () => {
  it.each(['OPTIONS', 'PATCH'])('drops nothing: %s', async (method) => {
    const corridor = new Corridor();
    await corridor.get();
    expect(await corridor.serve(method, path, [])).toMatchObject({ reason: 'method' });
    expect(corridor.cache.stats().needles).toBe(1);
  });
});

describe('the breaker', () => {
  async function opened(policy: CachePolicy): Promise<Corridor> {
    const corridor = new Corridor({}, text, policy);
    await corridor.get();
    corridor.fetcher.failure = { kind: 'failed', status: 'deadline' };
    for (let i = 1; i <= 5; i += 1) await corridor.get(`/3,0${i}00000009`);
    corridor.fetcher.failure = undefined;
    expect(await corridor.get('/3,0100000009')).toMatchObject({ head: 'breaker' });
    return corridor;
  }

  it('leaves alone what needs no target', async () => {
    const corridor = await opened(immutable);
    for (let i = 0; i < 3; i += 1) expect((await corridor.get()).source).toBe('cache');
    await new Promise((resolve) => setTimeout(resolve, 510));
    expect((await corridor.get()).source).toBe('cache');
    expect((await corridor.get('/3,0100000009')).source).toBe('rdma');
  });

  it('is closed by a VALIDATE that was answered', async () => {
    const corridor = await opened({ consistency: 'strict', leaseMs: 0 });
    expect(await corridor.get()).toMatchObject({ head: 'breaker' });
    await new Promise((resolve) => setTimeout(resolve, 510));
    corridor.fetcher.verdict = { kind: 'verdicts', verdicts: [unchanged] };
    expect((await corridor.get()).source).toBe('cache');
    expect((await corridor.get('/3,0100000009')).source).toBe('rdma');
  });

  it('counts a READ that many wait for once', async () => {
    const corridor = new Corridor();
    corridor.fetcher.failure = { kind: 'failed', status: 'deadline' };
    await Promise.all(Array.from({ length: 20 }, () => corridor.get()));
    expect(corridor.readCount).toBeLessThanOrEqual(2);
    corridor.fetcher.failure = undefined;
    expect((await corridor.get()).source).toBe('rdma');
  });
});

describe('Cache-Status', () => {
  it('tells of hits, misses, and what was stored, stale or shared', async () => {
    const corridor = new Corridor();
    const ask = async (): Promise<string> => {
      const outcome = await corridor.serve('GET', path, []);
      if (outcome.kind !== 'answer') throw new Error(outcome.kind);
      outcome.release();
      return outcome.cacheStatus;
    };
    expect(await ask()).toBe('fwd=uri-miss; stored');
    expect(await ask()).toBe('hit');
    corridor.cache.written(3, 7n);
    const both = await Promise.all([ask(), ask()]);
    expect(both.sort()).toEqual(['fwd=uri-miss; stored', 'hit']);
  });
});

describe('a condition that fails', () => {
  it('costs a look at the needle, then brings it into the cache', async () => {
    const corridor = new Corridor();
    const headers = ['If-None-Match', '"00000000"'];
    expect((await corridor.get(path, headers)).source).toBe('rdma');
    expect(corridor.fetcher.commands.map(({ metadataOnly }) => metadataOnly)).toEqual([
      true,
      false,
    ]);
    expect((await corridor.get(path, headers)).source).toBe('cache');
  });

  it('is like the length of a gzip needle to a HEAD that takes none: known from the data', async () => {
    const corridor = new Corridor({ flags: 1 }, gzipSync(text));
    const { source, head } = await corridor.get(path, [], 'HEAD');
    expect(source).toBe('rdma');
    expect(head).toContain(`Content-Length: ${text.length}\r\n`);
    expect((await corridor.get()).source).toBe('cache');
  });

  it('brings nothing where it holds', async () => {
    const corridor = new Corridor();
    const { head } = await corridor.get(path, ['If-None-Match', '"00000001"']);
    expect(head).toMatch(/^HTTP\/1\.1 304 /);
    expect(corridor.cache.stats().needles).toBe(0);
  });
});

describe('what is learned from a forwarded answer', () => {
  const own = ['Accept-Ranges', 'bytes', 'Content-Length', '0', 'Content-Type', 'text/x-own'];
  const settled = 60;
  let keptNeedles = 0;

  /** Asks for a needle whose extension is not known, and lets the server answer. */
  async function forwarded(change: {
    readonly etag?: string;
    readonly changedIds?: readonly bigint[];
    readonly epoch?: bigint;
  }): Promise<string | undefined> {
    const corridor = new Corridor({ name: 'a.own', mime: '' });
    const { needle } = corridor.fetcher;
    const verdict = { ...unchanged, changedIds: change.changedIds ?? [] };
    corridor.fetcher.verdict = {
      kind: 'verdicts',
      verdicts: [{ ...verdict, epoch: change.epoch ?? unchanged.epoch }],
    };
    const outcome = await corridor.serve('GET', path, []);
    if (outcome.kind !== 'passthrough') throw new Error(outcome.kind);
    const headers = new Map(
      Array.from({ length: own.length / 2 }, (_, i) => [own[2 * i], own[2 * i + 1]]),
    );
    headers.set('Content-Length', String(needle.dataBytes));
    const head = [...headers].flat() as string[];
    head.push('Etag', change.etag ?? etagOf(needle.checksum));
    head.push('Last-Modified', formatHttpTime(needle.lastModifiedSeconds));
    head.push('Server', 'S 1', 'X-Amz-Request-Id', 'X', 'Date', 'now');
    outcome.observe?.(200, head);
    expect(corridor.facts.typeOf('.own')).toBeUndefined();
    await new Promise((resolve) => setTimeout(resolve, settled));
    keptNeedles = corridor.cache.stats().needles;
    return corridor.facts.typeOf('.own');
  }

  it('is the type of a needle that no client has written since it was fetched', async () => {
    expect(await forwarded({})).toBe('text/x-own');
    expect(keptNeedles).toBe(1);
    expect(await forwarded({ changedIds: [8n] })).toBe('text/x-own');
  });

  it('is nothing where the needle was overwritten meanwhile, be it with the same bytes', async () => {
    expect(await forwarded({ changedIds: [7n] })).toBeUndefined();
  });

  it('is nothing where the volume is another generation, or the answer another needle’s', async () => {
    expect(await forwarded({ epoch: 12n })).toBeUndefined();
    // It is fetched anew, also under immutable, which would ask about its state for ever.
    expect(keptNeedles).toBe(0);
    expect(await forwarded({ etag: '"ffffffff"' })).toBeUndefined();
  });
});
