/**
 * One range of a needle through the corridor. A mount reads a needle in many small ranges: where the cache can keep it,
 * the whole needle is asked for, so that it is fetched once and the next ranges are found there.
 */
import type { ByteRange } from '../../needle/answer/ranges.ts';
import type { BytesRoute, NeedleOutcome } from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/reasons.ts';
import { manifestLookBytes, startsChunkManifest } from './chunk-manifest.ts';
import type { SidecarRead } from './read-parameters.ts';
import { beyondTheEnd, refusal, type SidecarRefusal, tooLong } from './refusal.ts';

export interface FastBytes {
  readonly kind: 'bytes';
  readonly source: 'cache' | 'rdma';
  readonly transport: string;
  readonly cacheStatus: string;
  /** Views, valid until `release`, which is called once. */
  readonly slices: readonly Buffer[];
  readonly bytes: number;
  /** Size of the whole needle, decoded. */
  readonly totalBytes: number;
  release(): void;
}

type Passed = Extract<NeedleOutcome, { readonly kind: 'passthrough' }>;
type Answered = Extract<NeedleOutcome, { readonly kind: 'answer' }>;

/** How many needles are remembered as being read by range, and how many as looked at for a list of chunks. */
const rememberedMax = 16_384;
/** A needle that the cache did not take is read by range so often, before it is tried whole again. */
const rangedReads = 16;

export class FastReads {
  readonly #route: BytesRoute;
  readonly #readBytesMax: number;
  readonly #wholeBytesMax: number;
  /** fid → reads by range that are left; Infinity: it is too long for the cache. */
  readonly #ranged = new Map<string, number>();
  /** fid → it is a list of chunks. */
  readonly #looked = new Map<string, boolean>();

  constructor(route: BytesRoute, readBytesMax: number, wholeBytesMax: number) {
    this.#route = route;
    this.#readBytesMax = readBytesMax;
    this.#wholeBytesMax = wholeBytesMax;
  }

  async read(
    read: SidecarRead,
    token: string | undefined,
  ): Promise<FastBytes | SidecarRefusal | Passed> {
    if (this.#readsWhole(read.fid)) {
      const outcome = await this.#ask(read, undefined, token);
      if (!isTooMuch(outcome)) return this.#sliced(outcome, read);
      remember(this.#ranged, read.fid, rangedReads);
    }
    return this.#readRange(read, token);
  }

  #readsWhole(fid: string): boolean {
    if (this.#wholeBytesMax === 0) return false;
    const left = this.#ranged.get(fid);
    if (left === undefined) return true;
    if (left <= 1) this.#ranged.delete(fid);
    else this.#ranged.set(fid, left - 1);
    return false;
  }

  #ask(
    { volumeId, needleId, cookie, claimedFid }: SidecarRead,
    range: ByteRange | undefined,
    token: string | undefined,
  ): Promise<NeedleOutcome> {
    return this.#route.read({ volumeId, needleId, cookie, claimedFid, range, token });
  }

  #sliced(outcome: NeedleOutcome, read: SidecarRead): FastBytes | SidecarRefusal | Passed {
    if (outcome.kind !== 'answer') return notAnswered(outcome);
    const { answer, cacheStatus } = outcome;
    const { totalBytes } = answer;
    if (totalBytes > this.#wholeBytesMax) remember(this.#ranged, read.fid, Infinity);
    else if (isNotKept(cacheStatus)) remember(this.#ranged, read.fid, rangedReads);
    const whole = answer.body[0] ?? noBytes;
    const { offset, size } = read;
    const length = Math.min(size ?? totalBytes, totalBytes - offset);
    const refused =
      beyondOrTooLong(offset, length, totalBytes, this.#readBytesMax) ??
      (startsChunkManifest(whole.subarray(0, manifestLookBytes)) ? chunkList : undefined);
    if (refused !== undefined) {
      outcome.release();
      return refused;
    }
    return given(outcome, whole.subarray(offset, offset + length), totalBytes);
  }

  async #readRange(
    read: SidecarRead,
    token: string | undefined,
  ): Promise<FastBytes | SidecarRefusal | Passed> {
    const isList = await this.#isChunkList(read, token);
    if (isList !== false) return isList === true ? chunkList : isList;
    const { offset, size } = read;
    const wanted = Math.min(size ?? Infinity, this.#readBytesMax);
    const outcome = await this.#ask(read, { start: offset, end: offset + wanted }, token);
    if (outcome.kind !== 'answer') return notAnswered(outcome);
    const { body, totalBytes } = outcome.answer;
    const length = Math.min(size ?? totalBytes, totalBytes - offset);
    const refused = beyondOrTooLong(offset, length, totalBytes, this.#readBytesMax);
    if (refused !== undefined) {
      outcome.release();
      return refused;
    }
    return given(outcome, body[0] ?? noBytes, totalBytes);
  }

  /** Looks at the needle's first bytes, once; another value says why it could not look. */
  async #isChunkList(
    read: SidecarRead,
    token: string | undefined,
  ): Promise<boolean | SidecarRefusal | Passed> {
    const known = this.#looked.get(read.fid);
    if (known !== undefined) return known;
    const outcome = await this.#ask(read, { start: 0, end: manifestLookBytes }, token);
    if (outcome.kind !== 'answer') return notAnswered(outcome);
    const isList = startsChunkManifest(outcome.answer.body[0] ?? noBytes);
    outcome.release();
    remember(this.#looked, read.fid, isList);
    return isList;
  }
}

const noBytes = Buffer.alloc(0);

const chunkList = refusal(
  422,
  'manifest',
  "the needle is a list of a large file's chunks, not its bytes: weed mount reads such a file over HTTP",
);

const tooMuch: ReadonlySet<Reason> = new Set(['too-large', 'no-slab', 'overload']);

/** The whole needle would not fit where a range of it may. */
function isTooMuch(outcome: NeedleOutcome): boolean {
  return outcome.kind !== 'answer' && tooMuch.has(outcome.reason);
}

/** True if the needle was fetched and not kept. */
function isNotKept(cacheStatus: string): boolean {
  return cacheStatus.startsWith('fwd=') && !/stored|collapsed/.test(cacheStatus);
}

function notAnswered(outcome: Exclude<NeedleOutcome, Answered>): SidecarRefusal | Passed {
  if (outcome.kind === 'passthrough') return outcome;
  const { status, reason } = outcome;
  return refusal(
    status,
    reason,
    `the fast path does not answer (${reason}), and HTTP is forbidden`,
  );
}

function beyondOrTooLong(
  offset: number,
  length: number,
  totalBytes: number,
  bytesMax: number,
): SidecarRefusal | undefined {
  if (length < 0 || (length === 0 && totalBytes > 0)) return beyondTheEnd(offset, totalBytes);
  return length > bytesMax ? tooLong(length, bytesMax) : undefined;
}

function given(outcome: Answered, slice: Buffer, totalBytes: number): FastBytes {
  const { source, transport, cacheStatus } = outcome;
  return {
    kind: 'bytes',
    source,
    transport,
    cacheStatus,
    slices: [slice],
    bytes: slice.length,
    totalBytes,
    release: () => outcome.release(),
  };
}

/** The oldest is forgotten first. */
function remember<T>(map: Map<string, T>, key: string, value: T): void {
  if (map.size >= rememberedMax && !map.has(key)) {
    for (const oldest of map.keys()) {
      map.delete(oldest);
      break;
    }
  }
  map.set(key, value);
}
