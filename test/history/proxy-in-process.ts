/** A proxy assembled in the test's process, so that its parts can be replaced: volume server, target, cache, HTTP side. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { OriginFacts } from '../../src/origin/origin-facts.ts';
import type { CachePolicy } from '../../src/proxy/cache/cache-policy.ts';
import type { NeedleCache, NeedleCacheOptions } from '../../src/proxy/cache/needle-cache.ts';
import { createNeedleRoute } from '../../src/proxy/corridor/needle-route.ts';
import { TargetDirectory, targetEntry } from '../../src/proxy/fleet/target-directory.ts';
import { type HttpFront, startHttpFront } from '../../src/proxy/front/server.ts';
import { forwarders } from '../../src/proxy/passthrough/forwarders.ts';
import { CacheMemory } from '../../src/rdma/cache-memory.ts';
import { type SubjectKind, whenServed } from '../contract/subjects.ts';
import { generousLimits } from '../integration/http-front-fixture.ts';
import { InterposedFetcher, type Interposition } from './interposed-fetcher.ts';
import { type JudgedRead, readJudged } from './judged-read.ts';
import { KeepAliveClient } from './keep-alive-client.ts';
import { TrackedNeedle } from './tracked-needle.ts';
import { startVolumeServer, type TestVolumeServer } from './volume-server.ts';

export interface InProcessOptions {
  readonly kind: SubjectKind;
  readonly policy: CachePolicy;
  readonly interposition?: Interposition;
  readonly newCache: (options: NeedleCacheOptions) => NeedleCache;
  /** Default: one. */
  readonly volumeIds?: readonly number[];
}

const firstVolumeId = 1;
const mebibyte = 1024 * 1024;
const timeoutMs = 10_000;
const sameLength = (): number => 0;

export class ProxyInProcess {
  readonly server: TestVolumeServer;
  readonly fetcher: InterposedFetcher;
  readonly cache: NeedleCache;
  /** Two of one volume. */
  readonly needle: TrackedNeedle = new TrackedNeedle(firstVolumeId, 1n, 4_096, {});
  readonly other: TrackedNeedle = new TrackedNeedle(firstVolumeId, 2n, 4_096, {});
  readonly port: number;
  readonly #front: HttpFront;
  readonly #clients: KeepAliveClient[] = [];
  readonly #end: () => Promise<void>;

  private constructor(
    parts: Pick<ProxyInProcess, 'server' | 'fetcher' | 'cache'> & {
      readonly front: HttpFront;
      readonly end: () => Promise<void>;
    },
  ) {
    this.server = parts.server;
    this.fetcher = parts.fetcher;
    this.cache = parts.cache;
    this.#front = parts.front;
    this.port = parts.front.port;
    this.#end = parts.end;
    const tracked = new Map([this.needle, this.other].map((each) => [each.needleId, each]));
    this.server.onWritten = (_, needleId, etag) => tracked.get(needleId)?.wrote(etag);
  }

  static async start(options: InProcessOptions): Promise<ProxyInProcess> {
    const { volumeIds = [firstVolumeId] } = options;
    const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-planted-'));
    const server = await startVolumeServer({ dirs: [dir], volumeIds });
    const subject = await options.kind.open({ dir, arenaBytes: 64 * mebibyte });
    const fetcher = new InterposedFetcher(subject.fetcher, options.interposition);
    await Promise.all(volumeIds.map((volumeId) => whenServed(fetcher, volumeId)));
    const memory = new CacheMemory({ bytes: 16 * mebibyte, hugepages: 'off' });
    const cache = options.newCache({
      bytesMax: 16 * mebibyte,
      decodedBytesMax: mebibyte,
      policyOf: () => options.policy,
      timeoutMs,
      validationsMax: 1,
      ttlMarginMs: 2_000,
      memory,
    });
    const route = createNeedleRoute(
      {
        mode: 'prefer',
        onCorrupt: 'pass',
        needleBytesMax: 8 * mebibyte,
        decodedBytesMax: mebibyte,
        timeoutMs,
        readKey: () => undefined,
      },
      new TargetDirectory([targetEntry(server.url, fetcher, new OriginFacts())]),
      cache,
    );
    const front = await startHttpFront(
      {
        listen: { host: '127.0.0.1', port: 0 },
        lane: true,
        debugHeaders: true,
        limits: generousLimits,
        logger: pino({ level: 'silent' }),
      },
      route,
      forwarders,
    );
    const end = async (): Promise<void> => {
      await front.close(0);
      cache.close();
      await subject.close();
      await server.close();
      rmSync(dir, { recursive: true });
    };
    return new ProxyInProcess({ server, fetcher, cache, front, end });
  }

  get requestsInFlight(): number {
    return this.#front.stats.requestsInFlight;
  }

  /** Another client's: the proxy does not see it. */
  writeDirectly(needle: TrackedNeedle = this.needle): void {
    const { version, data } = needle.beginWrite(performance.now(), sameLength);
    this.server.put(needle.volumeId, needle.needleId, data);
    needle.acknowledge(version, performance.now());
  }

  async changeThroughProxy(change: 'write' | 'delete'): Promise<void> {
    const { needle } = this;
    const { path } = needle;
    const client = this.#client();
    if (change === 'delete') {
      const version = needle.beginDelete(performance.now());
      await mustBe(202, client.request({ method: 'DELETE', path }));
      needle.acknowledge(version, performance.now());
      return;
    }
    const { version, data } = needle.beginWrite(performance.now(), sameLength);
    await mustBe(201, client.request({ method: 'POST', path, body: data }));
    needle.acknowledge(version, performance.now());
  }

  /** On a connection of its own, judged when it has ended. */
  async read(needle: TrackedNeedle = this.needle): Promise<JudgedRead> {
    const read = await readJudged(this.#client(), needle);
    if (read.seen.kind === 'unavailable') throw new Error(read.seen.detail);
    return read;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#end();
  }

  #client(): KeepAliveClient {
    const client = new KeepAliveClient(this.port);
    this.#clients.push(client);
    return client;
  }
}

async function mustBe(
  status: number,
  answered: Promise<{ readonly status: number }>,
): Promise<void> {
  const answer = await answered;
  if (answer.status !== status) throw new Error(`answered with ${answer.status}`);
}
