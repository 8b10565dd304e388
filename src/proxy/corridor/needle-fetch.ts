/**
 * Gets from a target what one answer needs: the needle's metadata first, with its data where one round trip can bring
 * both, then whatever bytes the plan names and are not here yet. No answer is made of two versions of a needle.
 */

import type { ByteRange } from '../../needle/answer/ranges.ts';
import type { ReadRequest } from '../../needle/request/read-request.ts';
import type {
  FetchResult,
  NeedleData,
  NeedleFacts,
  NeedleFetcher,
  ReadCommand,
} from '../../rdma/needle-fetcher.ts';
import type { StatusName } from '../../rdma/status.ts';
import type { DecodedForm } from '../cache/decoded-form.ts';

export interface FetchLimits {
  /** Larger needles are left to the volume server. */
  readonly needleBytesMax: number;
  readonly timeoutMs: number;
}

/** Needles up to here come whole with any range of them: one check serves every slice. */
const wholeBytesWithRange = 1024 * 1024;

const simpleRange = /^bytes=(\d{1,15})-(\d{1,15})$/;

export interface Wishes {
  /** Metadata is known not to be enough: a condition that fails, a length that is known after decoding. */
  readonly data: boolean;
  /** All of the needle, though a range was asked for. */
  readonly whole: boolean;
}

/** The first READ for a request: as much as is surely needed, in one round trip. */
export function firstCommand(
  request: ReadRequest,
  limits: FetchLimits,
  wishes: Wishes = { data: false, whole: false },
): ReadCommand {
  const base = {
    volumeId: request.volumeId,
    needleId: request.needleId,
    cookie: request.cookie,
    budgetBytes: limits.needleBytesMax,
    timeoutMs: limits.timeoutMs,
  };
  const isConditional = request.ifNoneMatch !== undefined || request.ifModifiedSince !== undefined;
  if ((request.method === 'HEAD' || isConditional) && !wishes.data) {
    return { ...base, offset: 0, length: 0, wholeBytesMax: 0, metadataOnly: true };
  }
  if (request.range === undefined) {
    return {
      ...base,
      // Whole or, over the limit, metadata alone.
      offset: 0,
      length: 0,
      wholeBytesMax: limits.needleBytesMax,
      metadataOnly: false,
    };
  }
  const { start, end } = simpleRangeOf(request.range) ?? { start: 0, end: 0 };
  return {
    ...base,
    offset: start,
    length: Math.min(end - start, limits.needleBytesMax),
    wholeBytesMax: wishes.whole ? limits.needleBytesMax : wholeBytesWithRange,
    metadataOnly: false,
  };
}

/** `bytes=a-b`; undefined for every other form. */
export function simpleRangeOf(range: string): ByteRange | undefined {
  const simple = simpleRange.exec(range);
  if (simple === null) return undefined;
  const start = Number(simple[1]);
  return { start, end: Math.max(start, Number(simple[2]) + 1) };
}

export type Bytes =
  | { readonly kind: 'slices'; readonly slices: readonly Buffer[] }
  /** The needle changed between two reads of it: begin again. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

/** The leases of one answer: views stay valid until `release`, which is called once. */
export class AnswerData {
  readonly #held: NeedleData[] = [];
  #form: DecodedForm | undefined;

  hold(data: NeedleData | undefined): void {
    if (data !== undefined) this.#held.push(data);
  }

  /** The stored bytes of `range`, where one of the held pieces has them all. */
  find(range: ByteRange): Buffer | undefined {
    for (const data of this.#held) {
      const start = range.start - data.offset;
      const end = range.end - data.offset;
      if (start >= 0 && end <= data.view.length) return data.view.subarray(start, end);
    }
    return undefined;
  }

  /** The view of a single piece, as long as it is held. */
  get whole(): Buffer | undefined {
    return this.#held.length === 1 ? this.#held[0]?.view : undefined;
  }

  /** In place of the stored bytes. `form` is held for this. */
  replaceBy(form: DecodedForm): void {
    this.release();
    this.#form = form;
  }

  release(): void {
    for (const data of this.#held.splice(0)) data.lease.release();
    this.#form?.endHold();
    this.#form = undefined;
  }
}

/** The part of a fetcher that a read uses. */
type NeedleReader = Pick<NeedleFetcher, 'read' | 'validate'>;

/** Brings the stored bytes of each range into `data`, and names them. */
export async function fetchRanges(
  fetcher: NeedleReader,
  needle: NeedleFacts,
  ranges: readonly ByteRange[],
  data: AnswerData,
  limits: FetchLimits,
): Promise<Bytes> {
  let newest: NeedleFacts = needle;
  const slices: Buffer[] = [];
  for (const range of ranges) {
    let slice = range.start === range.end ? Buffer.alloc(0) : data.find(range);
    if (slice === undefined) {
      const result = await fetchRange(fetcher, needle, range, limits);
      if (result.kind === 'failed') return result;
      data.hold(result.data);
      newest = result.needle;
      slice = data.find(range);
      if (slice === undefined || newest.epoch !== needle.epoch) return { kind: 'changed' };
    }
    slices.push(slice);
  }
  if (newest.position !== needle.position && !(await isUnchanged(fetcher, needle, limits))) {
    return { kind: 'changed' };
  }
  return { kind: 'slices', slices };
}

function fetchRange(
  fetcher: NeedleReader,
  needle: NeedleFacts,
  range: ByteRange,
  limits: FetchLimits,
): Promise<FetchResult> {
  const isWhole = range.start === 0 && range.end === needle.dataBytes;
  return fetcher.read({
    volumeId: needle.volumeId,
    needleId: needle.needleId,
    cookie: needle.cookie,
    offset: range.start,
    length: range.end - range.start,
    wholeBytesMax: isWhole ? needle.dataBytes : wholeBytesWithRange,
    budgetBytes: limits.needleBytesMax,
    metadataOnly: false,
    timeoutMs: limits.timeoutMs,
  });
}

/** Which state of which needle. */
export type NeedleState = Pick<NeedleFacts, 'volumeId' | 'needleId' | 'epoch' | 'position'>;

/** Asks now, after the last slice was read: nothing since this state touched the needle. */
export async function isUnchanged(
  fetcher: Pick<NeedleReader, 'validate'>,
  needle: NeedleState,
  limits: Pick<FetchLimits, 'timeoutMs'>,
): Promise<boolean> {
  const { volumeId, epoch, position } = needle;
  const result = await fetcher.validate([{ volumeId, epoch, position }], limits.timeoutMs);
  if (result.kind === 'failed') return false;
  const [verdict] = result.verdicts;
  if (verdict === undefined || verdict.verdict !== 'changed') return false;
  return verdict.epoch === epoch && !verdict.changedIds.includes(needle.needleId);
}
