/** From a needle and its bytes to the outcome of one read: plan, decode, build; prepared where it was built before. */

import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { type Answer, buildAnswer, planAnswer } from '../../needle/answer/answer.ts';
import type { AnswerReady, HostFacts } from '../../needle/answer/answer-plan.ts';
import { decodeGzip, membersMax, startsGzip, toldBytes } from '../../needle/answer/decode.ts';
import { decodePart } from '../../needle/answer/decode-part.ts';
import { isAnswerOf, learnedType } from '../../needle/answer/learn.ts';
import {
  httpDate,
  marks,
  newRequestId,
  PreparedAnswer,
  variantOf,
} from '../../needle/answer/prepared-answer.ts';
import type { ByteRange } from '../../needle/answer/ranges.ts';
import { inflatesAsRust, learnedOfRust } from '../../needle/answer/rust-answer.ts';
import type { NeedleOutcome } from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/reasons.ts';
import type { ReadRequest } from '../../needle/request/read-request.ts';
import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { CachedNeedle } from '../cache/cached-volume.ts';
import { DecodedForm } from '../cache/decoded-form.ts';
import { failed, passTo } from './fallback.ts';
import {
  type AnswerData,
  type Bytes,
  type FetchLimits,
  fetchRanges,
  isUnchanged,
  simpleRangeOf,
} from './needle-fetch.ts';
import type { Reading } from './reading.ts';

/** Longer heads are built each time: a needle's own headers may take tens of KiB. */
const preparedHeadMax = 4096;

/** Where the bytes come from. */
export interface BytesSource {
  readonly name: 'rdma' | 'cache';
  /** Remembers what is made of it. */
  readonly cached: CachedNeedle | undefined;
  readonly cacheStatus: string;
}

/** Whether metadata is not enough: a condition that fails, or a needle that must be decoded to know its length. */
export function needsData(read: ReadRequest, needle: NeedleFacts, facts: HostFacts): boolean {
  const plan = planAnswer(read, needle, snapshotOf(facts));
  if (plan.kind === 'passthrough') return false;
  return plan.kind !== 'answer' || plan.ranges.length > 0;
}

export async function answerFrom(
  reading: Reading,
  needle: NeedleFacts,
  data: AnswerData,
  source: BytesSource,
): Promise<NeedleOutcome | 'changed'> {
  const { entry, fetcher, read } = reading;
  const limits = new LimitsLeft(reading);
  const facts = snapshotOf(entry.facts);
  let decoded: DecodedBytes | undefined;
  let plan = planAnswer(read, needle, facts);
  if (plan.kind === 'peek') {
    const firstTwo = { start: 0, end: Math.min(2, needle.dataBytes) };
    const stored = await fetchRanges(fetcher, needle, [firstTwo], data, limits);
    if (stored.kind !== 'slices') return noBytes(reading, stored);
    plan = planAnswer(read, needle, facts, undefined, startsGzip(stored.slices[0] as Buffer));
  } else if (plan.kind === 'decode') {
    const whole = { start: 0, end: needle.dataBytes };
    const fetched = await fetchRanges(fetcher, needle, [whole], data, limits);
    if (fetched.kind !== 'slices') return noBytes(reading, fetched);
    const stored = fetched.slices[0] as Buffer;
    const result = startsGzip(stored) ? await decode(reading, needle, stored, source) : asStored;
    if (result.kind === 'passed') return passTo(entry.upstreamUrl, result.reason);
    if (result.kind === 'decoded') {
      data.replaceBy(result.form);
      decoded = result;
    }
    plan = planAnswer(read, needle, facts, decoded?.totalBytes, decoded !== undefined);
  }
  if (plan.kind === 'passthrough') return passLearning(reading, needle, plan);
  if (plan.kind !== 'answer') throw new TypeError(`a plan asked for the same twice: ${plan.kind}`);

  const bytes =
    decoded === undefined
      ? await fetchRanges(fetcher, needle, plan.ranges, data, limits)
      : { kind: 'slices' as const, slices: slicesOf(decoded, plan.ranges) };
  if (bytes.kind !== 'slices') return noBytes(reading, bytes);
  const answer = buildOnce(reading, plan, needle, facts, bytes.slices, source.cached);
  return answered(reading, answer, data, source);
}

/** A class, since each object literal with an accessor costs V8 a hidden class of its own. */
class LimitsLeft implements FetchLimits {
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  get needleBytesMax(): number {
    return this.#reading.options.needleBytesMax;
  }

  get timeoutMs(): number {
    return this.#reading.leftMs;
  }
}

function answered(
  { fetcher, read }: Reading,
  answer: Answer,
  data: AnswerData,
  { name, cacheStatus }: BytesSource,
): NeedleOutcome {
  const { state } = fetcher;
  const transport = state.kind === 'up' ? state.transport : 'unknown';
  const sessionId = state.kind === 'up' ? state.sessionId : 0n;
  return {
    kind: 'answer',
    source: name,
    transport: name === 'cache' ? 'none' : transport,
    sessionId: name === 'cache' ? 0n : sessionId,
    answer,
    cacheStatus,
    close: read.close,
    release: () => data.release(),
  };
}

/** Builds a cached needle's answer, and stores it when later answers can reuse it. */
function buildOnce(
  { cache, read }: Reading,
  plan: AnswerReady,
  needle: NeedleFacts,
  facts: HostFacts,
  slices: readonly Buffer[],
  cached: CachedNeedle | undefined,
): Answer {
  const variant = cached === undefined ? undefined : variantOf(read);
  if (cached !== undefined && variant !== undefined) {
    const answer = buildAnswer(plan, read, needle, facts, slices, marks);
    const prepared = PreparedAnswer.of(plan, facts, cached, answer.head);
    if (prepared !== undefined) {
      if (answer.head.length <= preparedHeadMax) cache.prepare(cached, variant, prepared);
      return { ...answer, head: prepared.head };
    }
  }
  const varying = {
    requestId: newRequestId(),
    date: httpDate(),
    boundary: plan.multipart ? randomBytes(30).toString('hex') : '',
  };
  return buildAnswer(plan, read, needle, facts, slices, varying);
}

/** One answer is made of one set of facts, whatever expires while the target answers. */
function snapshotOf(facts: HostFacts): HostFacts {
  const types = new Map<string, string | undefined>();
  return {
    server: facts.server,
    kind: facts.kind,
    typeOf(ext): string | undefined {
      if (!types.has(ext)) types.set(ext, facts.typeOf(ext));
      return types.get(ext);
    },
  };
}

function noBytes(
  { options, entry }: Reading,
  bytes: Exclude<Bytes, { readonly kind: 'slices' }>,
): NeedleOutcome | 'changed' {
  if (bytes.kind === 'changed') return 'changed';
  entry.breaker.ended(bytes.status);
  return failed(options, entry, bytes.status);
}

/** `form` is held, and has the decoded bytes from `start` on: all of them, or what one range takes. */
interface DecodedBytes {
  readonly form: DecodedForm;
  readonly start: number;
  readonly totalBytes: number;
}

type Decoded =
  | (DecodedBytes & { readonly kind: 'decoded' })
  | { readonly kind: 'passed'; readonly reason: Reason }
  | { readonly kind: 'as-stored' };

/** Flagged as gzip but not gzip: sent as it is stored. */
const asStored: Decoded = { kind: 'as-stored' };

async function decode(
  reading: Reading,
  needle: NeedleFacts,
  stored: Buffer,
  { cached }: BytesSource,
): Promise<Decoded> {
  const { cache, options, entry } = reading;
  const { volumeId, needleId, epoch, position } = needle;
  const key = cached ?? `${entry.upstreamUrl} ${volumeId},${needleId} ${epoch} ${position}`;
  const maxBytes = options.decodedBytesMax;
  const made = await cache.decoded(cached, {
    key,
    toldBytes: toldBytes(stored),
    maxBytes,
    decode: (bytes) => decodeGzip(stored, bytes, membersMax),
  });
  if (made.kind === 'no-room') return decodeWanted(reading, stored);
  if (made.kind !== 'form') return { kind: 'passed', reason: made.kind };
  const { form } = made;
  if (entry.facts.kind === 'rust' && !inflatesAsRust(stored, form.bytes)) {
    form.endHold();
    return { kind: 'passed', reason: 'unsupported-server' };
  }
  return { kind: 'decoded', form, start: 0, totalBytes: form.bytes.length };
}

/** Bytes that a pass over a stream holds besides the wanted ones. */
const passBytes = 262_144;

/** Where there is no room for all of it: what one range takes, or the length alone. */
async function decodeWanted(
  { cache, options, entry, read }: Reading,
  stored: Buffer,
): Promise<Decoded> {
  const range = read.range === undefined ? undefined : simpleRangeOf(read.range);
  const wanted = read.method === 'HEAD' ? nothing : range;
  const overload: Decoded = { kind: 'passed', reason: 'overload' };
  if (wanted === undefined || entry.facts.kind === 'rust') return overload;
  const maxBytes = options.decodedBytesMax;
  const claimBytes =
    passBytes + 2 * (Math.min(wanted.end, maxBytes) - Math.min(wanted.start, maxBytes));
  const { decodingRoom } = cache;
  if (!decodingRoom.claim(claimBytes)) return overload;
  try {
    const part = await decodePart(stored, maxBytes, wanted);
    if (part.kind !== 'part') return { kind: 'passed', reason: part.kind };
    const form = new DecodedForm(part.bytes, decodingRoom);
    form.hold();
    return { kind: 'decoded', form, start: wanted.start, totalBytes: part.totalBytes };
  } finally {
    decodingRoom.endClaim(claimBytes);
  }
}

const nothing: ByteRange = { start: 0, end: 0 };

function slicesOf({ form, start }: DecodedBytes, ranges: readonly ByteRange[]): readonly Buffer[] {
  return ranges.map((range) => form.bytes.subarray(range.start - start, range.end - start));
}

/** The volume server knows a write a moment before its index file does: so long after its answer the file is looked at. */
const settleMs = 20;

/**
 * Learns the host's type for an extension, which counts for all needles. A writer could choose it for a needle of its
 * own, so it is learned only from an answer to the very state that was fetched here.
 */
function passLearning(
  { options, cache, entry, fetcher }: Reading,
  needle: NeedleFacts,
  plan: { readonly reason: Reason; readonly learnExt?: string },
): NeedleOutcome {
  const { learnExt } = plan;
  const { facts, upstreamUrl } = entry;
  if (learnExt === undefined) return passTo(upstreamUrl, plan.reason);
  const { server, kind } = facts;
  // A cached needle moves on with its volume.
  const { volumeId, needleId, epoch, position } = needle;
  const state = { volumeId, needleId, epoch, position };
  const learn = async (type: string): Promise<void> => {
    await setTimeout(settleMs, undefined, { ref: false });
    if (!(await isUnchanged(fetcher, state, options))) {
      // A kept needle whose state is too old to be proved would be passed for ever: the next read fetches it anew.
      cache.written(volumeId, needleId);
      return;
    }
    if (facts.server === server && facts.kind === kind) facts.learnType(learnExt, type);
  };
  return {
    kind: 'passthrough',
    reason: plan.reason,
    upstreamUrl,
    observe(status, rawHeaders): void {
      if (!isAnswerOf(needle, status, rawHeaders)) return;
      const type =
        kind === 'rust'
          ? learnedOfRust(learnExt, status, rawHeaders)
          : learnedType(status, rawHeaders, needle);
      if (type !== undefined) void learn(type);
    },
  };
}
