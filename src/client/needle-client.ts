/** The client that connect() gives: finds the target of a volume, reads, and sees that every lease goes home. */
import { RdmaMisuseError } from '../rdma/errors.ts';
import type {
  FetchResult,
  NeedleFetcher,
  TargetState,
  TargetVolume,
} from '../rdma/needle-fetcher.ts';
import type { RdmaClient, RdmaClientStats } from '../rdma/rdma-client.ts';
import { abortable } from './abortable.ts';
import { type CheckedRead, checkRead, checkTimeout, type ReadNeedleOptions } from './arguments.ts';
import { Changes } from './changes.ts';
import type { CheckedConnect } from './connect-options.ts';
import { type ContentAnswer, type ContentRange, decodedContent, plainContent } from './content.ts';
import { type Choice, chooseFetcher, type Knowledge } from './fetcher-choice.ts';
import type { NeedleContent } from './needle-content.ts';
import {
  NeedleReadError,
  type ReadFailure,
  readFailures,
  TargetsUnreachableError,
} from './read-error.ts';

export interface ClientVolume extends TargetVolume {
  /** The target that announces it; a volume with replicas is listed once for each. */
  readonly target: string;
}

export interface ClientTarget {
  /** The address given to connect(); "inproc" for directories. */
  readonly address: string;
  readonly state: TargetState;
}

export type ClientPing =
  | {
      readonly target: string;
      readonly ok: true;
      readonly transport: string;
      readonly roundTripUs: number;
      readonly requestsInFlight: number;
      readonly sessions: number;
    }
  | { readonly target: string; readonly ok: false; readonly status: ReadFailure };

/** Counters of the client's own half; `leaseLeaks` counts needles that were forgotten instead of released. */
export type ClientStats = RdmaClientStats;

export interface NeedleClient extends AsyncDisposable {
  /**
   * Reads one needle, or part of one. Its stored bytes were verified against its CRC-32C by the target, and what arrived
   * here against what was sent. Release the result, by hand or with `using`: its memory is not the garbage collector's.
   *
   * @throws NeedleReadError with a status when there are no bytes.
   * @throws TypeError, RangeError for arguments that are wrong, RdmaMisuseError after close().
   * @throws the signal's reason when it is aborted; the memory of an answer that comes later goes home by itself.
   */
  readNeedle(options: ReadNeedleOptions): Promise<NeedleContent>;
  /** Lists the volumes that the connected targets have announced. */
  volumes(): readonly ClientVolume[];
  /** One round trip to each target. */
  ping(options?: { readonly timeoutMs?: number | undefined }): Promise<readonly ClientPing[]>;
  readonly targets: readonly ClientTarget[];
  /** Called after each change of a target's state or volumes. Returns what ends that. */
  onChange(listener: () => void): () => void;
  stats(): ClientStats;
  /**
   * Disconnects; reads in flight end as `closed`. Needles that are held stay valid, and may be released afterwards.
   * Idempotent. A client that is not closed keeps the process up.
   */
  close(): Promise<void>;
}

/** Targets end sessions that say nothing for their session_timeout. */
const keepAliveMs = 30_000;
/** Limit of native/protocol/wire.h: the needle is asked for whole, so that a larger one is refused and not cut. */
const needleBytesMax = 2 ** 32;
/** A target that is up this long has announced all that it serves: it is not waited for after that. */
const announceMs = 1_000;
/** How long a target that let a read wait too long is asked after its replicas. */
const slowMs = 5_000;

export class RdmaNeedleClient implements NeedleClient {
  readonly #client: RdmaClient;
  readonly #options: CheckedConnect;
  readonly #fetchers: readonly NeedleFetcher[];
  readonly #changes: Changes;
  readonly #slowUntil = new Map<NeedleFetcher, number>();
  readonly #keepAlive: NodeJS.Timeout;
  #closing: Promise<void> | undefined;

  constructor(client: RdmaClient, options: CheckedConnect) {
    this.#client = client;
    this.#options = options;
    this.#fetchers =
      client.kind === 'inproc'
        ? [client.inproc()]
        : options.targets.map((target) => client.addTarget(target));
    this.#changes = new Changes(this.#fetchers);
    this.#keepAlive = setInterval(() => void this.ping(), keepAliveMs);
    this.#keepAlive.unref();
  }

  /** Resolves when one is up. */
  async firstTarget(signal: AbortSignal | undefined): Promise<void> {
    const { connectTimeoutMs } = this.#options;
    const until = performance.now() + connectTimeoutMs;
    while (!this.#fetchers.some(({ state }) => state.kind === 'up')) {
      const isInTime = await this.#changes.next(until - performance.now(), signal);
      if (!isInTime || this.#fetchers.every(isRefused)) {
        throw new TargetsUnreachableError(this.#fetchers.map(whyDown));
      }
    }
  }

  async readNeedle(options: ReadNeedleOptions): Promise<NeedleContent> {
    const read = checkRead(options, this.#options.timeoutMs);
    this.#mustBeOpen('readNeedle');
    read.signal?.throwIfAborted();
    const until = performance.now() + read.timeoutMs;
    const answer = await this.#fetch(read, read, until);
    if (!read.decode) return plainContent(answer, read);
    return decodedContent(answer, read, {
      maxBytes: this.#options.decodedBytesMax,
      whole: () => this.#fetch(read, { offset: 0, size: Number.POSITIVE_INFINITY }, until),
    });
  }

  volumes(): readonly ClientVolume[] {
    return this.#fetchers.flatMap(({ address, volumes }) =>
      [...volumes.values()].map((volume) => ({ ...volume, target: address })),
    );
  }

  async ping(
    options: { readonly timeoutMs?: number | undefined } = {},
  ): Promise<readonly ClientPing[]> {
    const { timeoutMs = this.#options.timeoutMs } = options;
    checkTimeout('timeoutMs', timeoutMs);
    this.#mustBeOpen('ping');
    return Promise.all(this.#fetchers.map((fetcher) => pingOne(fetcher, timeoutMs)));
  }

  get targets(): readonly ClientTarget[] {
    return this.#fetchers.map(({ address, state }) => ({ address, state }));
  }

  onChange(listener: () => void): () => void {
    return this.#changes.listen(listener);
  }

  stats(): ClientStats {
    return this.#client.stats();
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      clearInterval(this.#keepAlive);
      this.#closing = this.#client.close();
    }
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Asks one target after the other, until one has the needle or says that there is none. */
  async #fetch(read: CheckedRead, range: ContentRange, until: number): Promise<ContentAnswer> {
    const asked = new Set<NeedleFetcher>();
    let failure: { readonly status: ReadFailure; readonly target: string } | undefined;
    for (;;) {
      if (this.#closing !== undefined) throw new NeedleReadError('closed', read);
      const leftMs = until - performance.now();
      const choice = chooseFetcher(this.#fetchers, read.volumeId, asked, this.#knowledge);
      if (choice.kind === 'none' || leftMs <= 0) throw noAnswer(read, choice, failure);
      if (choice.kind === 'wait') {
        await this.#changes.next(Math.min(leftMs, announceMs), read.signal);
        continue;
      }
      const { fetcher } = choice;
      asked.add(fetcher);
      const { state, address: target } = fetcher;
      const transport = state.kind === 'up' ? state.transport : '';
      // One that hangs must leave time for the next.
      const attemptMs = choice.hasReplica ? leftMs / 2 : leftMs;
      const result = await this.#ask(fetcher, read, range, attemptMs);
      if (result.kind === 'needle') return { ...result, target, transport };
      failure = { status: result.status, target };
      if (result.status === 'deadline') this.#slowUntil.set(fetcher, performance.now() + slowMs);
      if (!readFailures[result.status].asksAnother) throw noAnswer(read, choice, failure);
    }
  }

  #ask(
    fetcher: NeedleFetcher,
    { volumeId, needleId, cookie, signal }: CheckedRead,
    { offset, size }: ContentRange,
    timeoutMs: number,
  ): Promise<FetchResult> {
    const pending = fetcher.read({
      volumeId,
      needleId,
      cookie,
      offset,
      length: Math.min(size, needleBytesMax),
      wholeBytesMax: 0,
      budgetBytes: this.#options.memoryBytes,
      metadataOnly: size === 0,
      timeoutMs,
    });
    return abortable(pending, signal, (late) => {
      if (late.kind === 'needle') late.data?.lease.release();
    });
  }

  readonly #knowledge: Knowledge = {
    isNew: (fetcher) => this.#changes.upForMs(fetcher) < announceMs,
    isSlow: (fetcher) => performance.now() < (this.#slowUntil.get(fetcher) ?? 0),
  };

  #mustBeOpen(method: string): void {
    if (this.#closing !== undefined) throw new RdmaMisuseError(`${method}() after close()`);
  }
}

/** Returns the last target's failure, or why there was none to ask. */
function noAnswer(
  read: CheckedRead,
  choice: Choice,
  failure: { readonly status: ReadFailure; readonly target: string } | undefined,
): NeedleReadError {
  if (failure !== undefined) return new NeedleReadError(failure.status, read, failure.target);
  if (choice.kind === 'none')
    return new NeedleReadError(choice.status, read, undefined, choice.detail);
  return new NeedleReadError(choice.kind === 'ask' ? 'deadline' : 'not_connected', read);
}

async function pingOne(fetcher: NeedleFetcher, timeoutMs: number): Promise<ClientPing> {
  const { address: target, state } = fetcher;
  const transport = state.kind === 'up' ? state.transport : '';
  const result = await fetcher.ping(timeoutMs);
  if (result.kind === 'failed') return { target, ok: false, status: result.status };
  const { roundTripUs, requestsInFlight, sessions } = result;
  return { target, ok: true, transport, roundTripUs, requestsInFlight, sessions };
}

/** The state does not change while connect() waits. */
function isRefused({ state }: NeedleFetcher): boolean {
  return (
    state.kind === 'down' &&
    (state.status === 'unauthorized' || state.status === 'unsupported_version')
  );
}

function whyDown({ address, state }: NeedleFetcher): { address: string; detail: string } {
  if (state.kind !== 'down') return { address, detail: 'no answer in time' };
  const { status, detail } = state;
  return { address, detail: detail === '' ? status : `${status}: ${detail}` };
}
