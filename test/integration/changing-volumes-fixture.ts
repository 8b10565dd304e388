/**
 * Volume servers, targets and a proxy around volumes that change while they are read: judged readers, and what they read.
 * A proxy with `inproc` has one volume server, one with UCX has two.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { NeedleHistory } from '../history/history.ts';
import { type JudgedRead, plainGet, readJudged } from '../history/judged-read.ts';
import { KeepAliveClient } from '../history/keep-alive-client.ts';
import { seededRandom } from '../history/needle-set.ts';
import { type Stack, startStack, type Transport } from '../history/roles.ts';
import { TrackedNeedle } from '../history/tracked-needle.ts';
import { startVolumeServer, type TestVolumeServer } from '../history/volume-server.ts';

export const transports: readonly Transport[] = loadBinding().hasUcx
  ? ['inproc', 'ucx']
  : ['inproc'];

export interface ChangingVolumes {
  readonly proxyPort: number;
  /** The first one has two directories; volumes are created in its first, the second is there to be replaced. */
  readonly server: TestVolumeServer;
  readonly dirs: readonly string[];
  /** With UCX. */
  readonly other: TestVolumeServer | undefined;
  readonly otherDir: string;
  readonly folder: string;
  /** How long a volume may be served after its server stopped listing it. */
  readonly unmountMsMax: number;
  close(): Promise<void>;
}

export async function startChangingVolumes(
  transport: Transport,
  volumeIds: readonly number[],
): Promise<ChangingVolumes> {
  const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-changing-'));
  const [first, second, otherDir] = ['first', 'second', 'other'].map((name) => join(folder, name));
  const dirs = [first as string, second as string];
  for (const dir of [...dirs, otherDir as string]) mkdirSync(dir);
  const server = await startVolumeServer({ dirs, volumeIds });
  const servers = [{ url: server.url, dirs }];
  let other: TestVolumeServer | undefined;
  if (transport === 'ucx') {
    other = await startVolumeServer({ dirs: [otherDir as string], volumeIds: [] });
    servers.push({ url: other.url, dirs: [otherDir as string] });
  }
  const closeServers = async (): Promise<void> => {
    await server.close();
    await other?.close();
    rmSync(folder, { recursive: true });
  };
  let stack: Stack;
  try {
    stack = await startStack({ transport, folder, servers });
  } catch (error) {
    await closeServers();
    throw error;
  }
  return {
    proxyPort: stack.port,
    server,
    dirs,
    other,
    otherDir: otherDir as string,
    folder,
    unmountMsMax: 2 * stack.confirmEveryMs,
    async close(): Promise<void> {
      await stack.stop();
      await closeServers();
    },
  };
}

export interface WatchedVolumeOptions {
  readonly proxyPort: number;
  readonly volumeId: number;
  readonly needles: number;
  /** Reads may show old and new in turn until a change must be seen. */
  readonly mayGoBack?: boolean;
}

/** Of one needle; in the order of their ends. */
export interface Watch {
  readonly reads: readonly JudgedRead[];
  /** Of those that began before the change. */
  readonly fromCacheBefore: number;
  /** Of those that began when it had to be seen. */
  readonly after: readonly JudgedRead[];
}

const lengths = [3_000, 64, 20_000, 1, 150_000];
const readers = 6;
const readsBefore = 60;
const readsAfter = 60;
const deadlineMs = 15_000;

export class WatchedVolume {
  readonly volumeId: number;
  readonly needles: readonly TrackedNeedle[];
  readonly #proxyPort: number;
  readonly #client: KeepAliveClient;

  constructor({ proxyPort, volumeId, needles, mayGoBack = false }: WatchedVolumeOptions) {
    this.volumeId = volumeId;
    this.#proxyPort = proxyPort;
    this.#client = new KeepAliveClient(proxyPort);
    this.needles = Array.from({ length: needles }, (_, index) => {
      const lengthMax = lengths[index % lengths.length] as number;
      const history = new NeedleHistory({ mayGoBack });
      return new TrackedNeedle(volumeId, BigInt(index + 1), lengthMax, {}, history);
    });
  }

  needle(index: number): TrackedNeedle {
    return this.needles[index] as TrackedNeedle;
  }

  read(needle: TrackedNeedle): Promise<JudgedRead> {
    return readJudged(this.#client, needle, plainGet);
  }

  /** Reads until somebody wanted has answered. */
  async until(needle: TrackedNeedle, isWanted: (read: JudgedRead) => boolean): Promise<JudgedRead> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const read = await this.read(needle);
      if (isWanted(read)) return read;
      const { source, reason, answer } = read;
      const last = `${answer.status} from ${source} ${reason}`;
      if (performance.now() > deadline) throw new Error(`${needle.path}: still ${last}`);
      await pause(10);
    }
  }

  /** All needles lie in the cache, and hot needles are read from it, when the change comes. */
  async whileRead(change: () => void | Promise<void>): Promise<Watch> {
    for (const needle of this.needles) {
      if (needle.isAlive) await this.until(needle, ({ source }) => source === 'cache');
    }
    const watch = new RunningWatch(this.#proxyPort, this.needles);
    await watch.ended(readsBefore, Number.NEGATIVE_INFINITY);
    const changedFrom = performance.now();
    await change();
    const seenFrom = performance.now();
    await watch.ended(readsAfter, seenFrom);
    const reads = await watch.stop();
    const before = reads.filter(({ begunAt }) => begunAt < changedFrom);
    return {
      reads,
      fromCacheBefore: before.filter(({ source }) => source === 'cache').length,
      after: reads.filter(({ begunAt }) => begunAt > seenFrom),
    };
  }

  close(): void {
    this.#client.close();
  }
}

class RunningWatch {
  readonly #reads: JudgedRead[] = [];
  readonly #done: Promise<unknown>;
  #isOver = false;

  constructor(proxyPort: number, needles: readonly TrackedNeedle[]) {
    const each = Array.from({ length: readers }, (_, index) => {
      const client = new KeepAliveClient(proxyPort);
      return this.#readOn(client, needles, seededRandom(index + 1)).finally(() => client.close());
    });
    this.#done = Promise.all(each);
  }

  /** `count` reads that began after `since` have ended; or a reader failed. */
  async ended(count: number, since: number): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (this.#reads.filter(({ begunAt }) => begunAt > since).length < count) {
      if (performance.now() > deadline) throw new Error(`fewer than ${count} reads`);
      await Promise.race([pause(5), this.#done]);
    }
  }

  async stop(): Promise<readonly JudgedRead[]> {
    this.#isOver = true;
    await this.#done;
    return this.#reads;
  }

  async #readOn(
    client: KeepAliveClient,
    needles: readonly TrackedNeedle[],
    random: () => number,
  ): Promise<void> {
    while (!this.#isOver) {
      const needle = needles[Math.floor(random() * needles.length)] as TrackedNeedle;
      this.#reads.push(await readJudged(client, needle, needle.planRead(random)));
    }
  }
}

/** As another client, past the proxy. */
export function writeTo(server: TestVolumeServer, needle: TrackedNeedle): void {
  const { version, data } = needle.beginWrite(performance.now(), () => 0);
  needle.wrote(volumeOf(server, needle).put(needle.needleId, data, needle.fields));
  needle.acknowledge(version, performance.now());
}

export function deleteFrom(server: TestVolumeServer, needle: TrackedNeedle): void {
  const version = needle.beginDelete(performance.now());
  volumeOf(server, needle).delete(needle.needleId);
  needle.acknowledge(version, performance.now());
}

function volumeOf(server: TestVolumeServer, { volumeId }: TrackedNeedle) {
  const volume = server.volumes.get(volumeId);
  if (volume === undefined) throw new RangeError(`there is no volume ${volumeId}`);
  return volume;
}

/** Some hits before the change, and no read ever that could not have been. */
export function expectSound(watch: Watch): void {
  expect(watch.reads.flatMap(({ violation }) => violation ?? [])).toEqual([]);
  expect(watch.reads.filter(({ seen }) => seen.kind === 'unavailable')).toEqual([]);
  expect(watch.fromCacheBefore).toBeGreaterThan(10);
  expect(watch.after.length).toBeGreaterThan(10);
}

/** What the reads of this needle that began when the change had to be seen have shown. */
export function seenAfter({ after }: Watch, needle: TrackedNeedle): ReadonlySet<string> {
  const of = after.filter(({ path }) => path === needle.path);
  return new Set(of.map(({ seen }) => seen.kind));
}
