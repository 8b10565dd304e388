/**
 * Readers, writers, deleters and a vacuum at work on one set of needles through a proxy, every read judged as it ends.
 * Writes go half to the volume server directly, which the proxy cannot see, and half through the proxy; each is followed
 * by reads of its own needle, begun right after the acknowledgement: the sharpest question there is.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Violation } from './history.ts';
import { type JudgedRead, readJudged } from './judged-read.ts';
import { KeepAliveClient } from './keep-alive-client.ts';
import { NeedleSet, seededRandom } from './needle-set.ts';
import type { ReadKind, TrackedNeedle } from './tracked-needle.ts';
import type { TestVolumeServer } from './volume-server.ts';

export interface WorkloadOptions {
  readonly server: TestVolumeServer;
  readonly proxyPort: number;
  readonly seconds: number;
  readonly connections: number;
  readonly needlesPerVolume: number;
  readonly writesPerSecond: number;
  readonly vacuumEveryMs: number;
  readonly seed: number;
  /**
   * What the proxy promises of changes that it does not see: shown by reads that begin this long after the acknowledgement;
   * 0: by every read, and no read goes back (strict); Infinity: by none (immutable). Changes through it are shown at once.
   */
  readonly unseenMsMax: number;
  /** Each reader pauses as long between two reads, at most; default: none. */
  readonly thinkMsMax?: number;
  /** Answers do not say who gave them: resolves when each volume is served. */
  readonly served?: (() => Promise<void>) | undefined;
  /** Called for each read that was answered, and judged. */
  readonly onRead?: (read: JudgedRead) => void;
}

export interface FoundViolation extends Violation {
  readonly path: string;
  readonly readKind: ReadKind;
  /** Who answered. */
  readonly source: string;
}

export interface Summary {
  readonly seconds: number;
  readonly seed: number;
  readonly reads: number;
  /** Of reads that showed content: by X-Rdma-Source, up to its semicolon. */
  readonly contentBySource: Readonly<Record<string, number>>;
  /** Of all reads that passed: by reason. */
  readonly passedByReason: Readonly<Record<string, number>>;
  readonly byKind: Readonly<Record<string, number>>;
  readonly absences: number;
  readonly writes: number;
  readonly deletes: number;
  readonly changesThroughProxy: number;
  readonly vacuums: number;
  readonly unavailable: Readonly<Record<string, number>>;
  readonly failedChanges: Readonly<Record<string, number>>;
  /** All of them are counted, the first are kept. */
  readonly violationCount: number;
  readonly violations: readonly FoundViolation[];
}

const violationsKept = 20;
const readsAfterWrite = 2;
const writers = 8;
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #needles: NeedleSet;
  readonly #random: () => number;
  readonly #clients: KeepAliveClient[] = [];
  #until = 0;
  #reads = 0;
  #absences = 0;
  #writes = 0;
  #deletes = 0;
  #changesThroughProxy = 0;
  #vacuums = 0;
  #violationCount = 0;
  readonly #contentBySource: Record<string, number> = {};
  readonly #passedByReason: Record<string, number> = {};
  readonly #byKind: Record<string, number> = {};
  readonly #unavailable: Record<string, number> = {};
  readonly #failedChanges: Record<string, number> = {};
  readonly #violations: FoundViolation[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
    const { server, needlesPerVolume, unseenMsMax } = options;
    this.#random = seededRandom(options.seed);
    const volumeIds = [...server.volumes.keys()];
    this.#needles = new NeedleSet({ volumeIds, needlesPerVolume, mayGoBack: unseenMsMax > 0 });
    server.onWritten = (volumeId, needleId, etag) =>
      this.#needles.find(volumeId, needleId)?.wrote(etag);
  }

  /** Writes every needle once; then waits until each volume is served from the fabric. */
  async prepare(): Promise<void> {
    for (const needle of this.#needles.all) this.#writeDirectly(needle);
    const { served } = this.#options;
    if (served !== undefined) {
      await served();
      return;
    }
    const client = this.#client();
    const deadline = performance.now() + 20_000;
    for (const needle of this.#needles.ofEachVolume()) {
      for (;;) {
        const { source, reason } = await readJudged(client, needle);
        if (source === 'rdma' || source === 'cache') break;
        if (performance.now() > deadline) throw new Error(`${needle.path} passes: ${reason}`);
        await pause(20);
      }
    }
  }

  async run(): Promise<Summary> {
    const { seconds, seed, connections } = this.#options;
    const begunAt = performance.now();
    this.#until = begunAt + seconds * 1000;
    const readers = Array.from({ length: connections }, () => this.#readOn(this.#client()));
    const changers = Array.from({ length: writers }, () => this.#writeOn(this.#client()));
    await Promise.all([...readers, ...changers, this.#vacuumOn()]);
    for (const client of this.#clients) client.close();
    return {
      seconds: (performance.now() - begunAt) / 1000,
      seed,
      reads: this.#reads,
      contentBySource: this.#contentBySource,
      passedByReason: this.#passedByReason,
      byKind: this.#byKind,
      absences: this.#absences,
      writes: this.#writes,
      deletes: this.#deletes,
      changesThroughProxy: this.#changesThroughProxy,
      vacuums: this.#vacuums,
      unavailable: this.#unavailable,
      failedChanges: this.#failedChanges,
      violationCount: this.#violationCount,
      violations: this.#violations,
    };
  }

  /** Ends `run` before its time. */
  end(): void {
    this.#until = 0;
  }

  async #readOn(client: KeepAliveClient): Promise<void> {
    const { thinkMsMax = 0 } = this.#options;
    while (performance.now() < this.#until) {
      await this.#read(client, this.#anyNeedle());
      if (thinkMsMax > 0) await pause(thinkMsMax * this.#random());
    }
  }

  async #writeOn(client: KeepAliveClient): Promise<void> {
    const everyMs = (writers * 1000) / this.#options.writesPerSecond;
    while (performance.now() < this.#until) {
      const needle = this.#anyNeedle();
      if (!needle.isBusy && !needle.isLost) {
        needle.isBusy = true;
        await this.#change(client, needle);
        needle.isBusy = false;
        for (let i = 0; i < readsAfterWrite; i += 1) await this.#read(client, needle);
      }
      await pause(everyMs * 2 * this.#random());
    }
  }

  async #vacuumOn(): Promise<void> {
    const { server, vacuumEveryMs } = this.#options;
    const volumes = [...server.volumes.values()];
    for (let i = 0; performance.now() < this.#until; i += 1) {
      await pause(vacuumEveryMs);
      volumes[i % volumes.length]?.vacuum();
      this.#vacuums += 1;
    }
  }

  async #change(client: KeepAliveClient, needle: TrackedNeedle): Promise<void> {
    const isDelete = needle.isAlive && this.#random() < 0.2;
    if (this.#random() < 0.5) await this.#changeThroughProxy(client, needle, isDelete);
    else if (isDelete) this.#deleteDirectly(needle);
    else this.#writeDirectly(needle);
  }

  #writeDirectly(needle: TrackedNeedle): void {
    const { volumeId, needleId, fields } = needle;
    const { version, data } = needle.beginWrite(performance.now(), this.#random);
    this.#options.server.put(volumeId, needleId, data, fields);
    needle.acknowledge(version, performance.now() + this.#options.unseenMsMax);
    this.#writes += 1;
  }

  #deleteDirectly(needle: TrackedNeedle): void {
    const version = needle.beginDelete(performance.now());
    this.#options.server.delete(needle.volumeId, needle.needleId);
    needle.acknowledge(version, performance.now() + this.#options.unseenMsMax);
    this.#deletes += 1;
  }

  async #changeThroughProxy(
    client: KeepAliveClient,
    needle: TrackedNeedle,
    isDelete: boolean,
  ): Promise<void> {
    const { path, fields } = needle;
    const { version, data } = isDelete
      ? { version: needle.beginDelete(performance.now()), data: undefined }
      : needle.beginWrite(performance.now(), this.#random);
    const request = {
      method: isDelete ? 'DELETE' : this.#random() < 0.5 ? 'POST' : 'PUT',
      path,
      headers: {
        ...(typeof fields.mime === 'string' ? { 'Content-Type': fields.mime } : {}),
        ...(fields.compressed ? { 'Content-Encoding': 'gzip' } : {}),
      },
    };
    const status = await client
      .request(data === undefined ? request : { ...request, body: data })
      .then(
        (answer) => `status ${answer.status}`,
        (error: unknown) => `${error}`,
      );
    if (status !== (isDelete ? 'status 202' : 'status 201')) {
      needle.isLost = true;
      count(this.#failedChanges, status);
      return;
    }
    needle.acknowledge(version, performance.now());
    this.#changesThroughProxy += 1;
    if (isDelete) this.#deletes += 1;
    else this.#writes += 1;
  }

  async #read(client: KeepAliveClient, needle: TrackedNeedle): Promise<void> {
    const plan = needle.planRead(this.#random);
    let read: JudgedRead;
    try {
      read = await readJudged(client, needle, plan);
    } catch (error) {
      count(this.#unavailable, `${error}`);
      await pause(20);
      return;
    }
    const { source, reason, seen, violation } = read;
    if (seen.kind === 'unavailable') {
      count(this.#unavailable, `${source}: ${seen.detail}`);
      return;
    }
    this.#reads += 1;
    this.#options.onRead?.(read);
    count(this.#byKind, plan.kind);
    if (reason !== '') count(this.#passedByReason, reason);
    if (seen.kind === 'absent') this.#absences += 1;
    else count(this.#contentBySource, source);
    if (violation === undefined) return;
    this.#violationCount += 1;
    if (this.#violations.length < violationsKept) {
      this.#violations.push({ ...violation, path: needle.path, readKind: plan.kind, source });
    }
  }

  #anyNeedle(): TrackedNeedle {
    return this.#needles.any(this.#random());
  }

  #client(): KeepAliveClient {
    const client = new KeepAliveClient(this.#options.proxyPort);
    this.#clients.push(client);
    return client;
  }
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
