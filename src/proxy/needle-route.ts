/**
 * The corridor: one read, top to bottom; the only place where the rooms meet. Every step before the first byte may
 * answer a reason to pass the request to the volume server.
 */
import { randomBytes } from 'node:crypto';
import type { Needle, NeedleFetcher } from '../rdma/needle-fetcher.ts';
import { verifyReadToken } from './auth/read-token.ts';
import { type FallbackOptions, failed, passTo, trouble } from './fallback.ts';
import { parseRead, type ReadRequest, volumeIdOf } from './needle/read-request.ts';
import type { RequestHead } from './needle/request-head.ts';
import {
  AnswerData,
  type Bytes,
  type FetchLimits,
  fetchRanges,
  firstCommand,
} from './needle-fetch.ts';
import type { NeedleOutcome, NeedleRoute } from './needle-outcome.ts';
import type { Reason } from './outcome.ts';
import { type AnswerReady, buildAnswer, type HostFacts, planAnswer } from './response/answer.ts';
import { httpDate } from './response/date.ts';
import { type DecodeResult, decodeGzip, startsGzip } from './response/decode.ts';
import { learnedType } from './response/learn.ts';
import { newRequestId } from './response/request-id.ts';
import type { TargetDirectory, TargetEntry } from './targets/target-directory.ts';

export interface NeedleRouteOptions extends FetchLimits, FallbackOptions {
  readonly decodedBytesMax: number;
  /** SeaweedFS's jwt.signing.read.key; undefined: none. Asked at each request, so that it can be reloaded. */
  readonly readKey: () => string | undefined;
}

/** A ttl needle this close to its end is left to the volume server's own clock. */
const ttlMarginMs = 2_000;
/** A needle that is overwritten while its ranges are read is begun again this often. */
const attemptsMax = 3;

export function createNeedleRoute(
  options: NeedleRouteOptions,
  directory: TargetDirectory,
): NeedleRoute {
  return {
    serve: (head, hasBody) => serveRead(options, directory, head, hasBody),
    upstreamFor: (target) => upstreamOf(directory, target),
  };
}

async function serveRead(
  options: NeedleRouteOptions,
  directory: TargetDirectory,
  head: RequestHead,
  hasBody: boolean,
): Promise<NeedleOutcome> {
  const parsed = parseRead(head);
  if (parsed.kind === 'passthrough') {
    return passTo(upstreamOf(directory, head.target), parsed.reason);
  }
  const { read } = parsed;
  const place = directory.find(read.volumeId);
  const { entry } = place;
  if (hasBody) return passTo(entry.upstreamUrl, 'body');
  const { fetcher } = entry;
  if (options.mode === 'off' || fetcher === undefined) return passTo(entry.upstreamUrl, 'off');

  const barred = tokenBar(options, entry, read) ?? serverBar(entry);
  if (barred !== undefined) return passTo(entry.upstreamUrl, barred);
  if (!place.announced) {
    const allUp = directory.entries.every((other) => other.fetcher?.state.kind === 'up');
    return trouble(options, entry, allUp ? 'unknown-volume' : 'target-down');
  }
  if (fetcher.state.kind !== 'up') return trouble(options, entry, 'target-down');
  if (!place.confirmed) return passTo(entry.upstreamUrl, 'volume-unconfirmed');
  if (!entry.breaker.admit()) return trouble(options, entry, 'breaker');

  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const outcome = await attemptRead(options, entry, fetcher, read);
    if (outcome !== 'changed') return outcome;
  }
  return trouble(options, entry, 'deadline');
}

/** Writes and other requests of a volume go to the server that has it; the rest to the first one. */
function upstreamOf(directory: TargetDirectory, target: string): string {
  const volumeId = directory.entries.length === 1 ? undefined : volumeIdOf(target);
  if (volumeId === undefined) return directory.first.upstreamUrl;
  return directory.find(volumeId).entry.upstreamUrl;
}

function tokenBar(
  options: NeedleRouteOptions,
  entry: TargetEntry,
  read: ReadRequest,
): Reason | undefined {
  const key = options.readKey();
  if (key === undefined) return entry.facts.auth === 'open' ? undefined : 'auth-unknown';
  const nowSeconds = Math.floor(Date.now() / 1000);
  if (read.token === undefined) return 'auth';
  return verifyReadToken(read.token, key, read.claimedFid, nowSeconds) ? undefined : 'auth';
}

function serverBar(entry: TargetEntry): Reason | undefined {
  return entry.facts.server === undefined ? 'learn-server' : undefined;
}

async function attemptRead(
  options: NeedleRouteOptions,
  entry: TargetEntry,
  fetcher: NeedleFetcher,
  read: ReadRequest,
): Promise<NeedleOutcome | 'changed'> {
  const postedAt = performance.now();
  const fetched = await fetcher.read(firstCommand(read, options));
  if (fetched.kind === 'failed') return failed(options, entry, fetched.status);
  entry.breaker.succeeded();
  const { needle } = fetched;
  const data = new AnswerData();
  data.hold(fetched.data);
  let answered = false;
  try {
    if (isNearExpiry(needle, postedAt)) return passTo(entry.upstreamUrl, 'ttl');
    const outcome = await answerFrom(options, entry, fetcher, read, needle, data);
    answered = outcome !== 'changed' && outcome.kind === 'answer';
    return outcome;
  } finally {
    if (!answered) data.release();
  }
}

function isNearExpiry(needle: Needle, postedAt: number): boolean {
  if (needle.ttlLeftMs === undefined) return false;
  return needle.ttlLeftMs - (performance.now() - postedAt) < ttlMarginMs;
}

async function answerFrom(
  options: NeedleRouteOptions,
  entry: TargetEntry,
  fetcher: NeedleFetcher,
  read: ReadRequest,
  needle: Needle,
  data: AnswerData,
): Promise<NeedleOutcome | 'changed'> {
  const facts = snapshotOf(entry.facts);
  let decoded: Buffer | undefined;
  let plan = planAnswer(read, needle, facts);
  if (plan.kind === 'peek') {
    const firstTwo = { start: 0, end: Math.min(2, needle.dataBytes) };
    const stored = await fetchRanges(fetcher, needle, [firstTwo], data, options);
    if (stored.kind !== 'slices') return noBytes(options, entry, stored);
    plan = planAnswer(read, needle, facts, undefined, startsGzip(stored.slices[0] as Buffer));
  } else if (plan.kind === 'decode') {
    const whole = { start: 0, end: needle.dataBytes };
    const stored = await fetchRanges(fetcher, needle, [whole], data, options);
    if (stored.kind !== 'slices') return noBytes(options, entry, stored);
    const result = await decodeStored(stored.slices[0] as Buffer, options.decodedBytesMax);
    if (result.kind === 'too-large') return passTo(entry.upstreamUrl, 'too-large');
    if (result.kind === 'corrupt') return passTo(entry.upstreamUrl, 'corrupt');
    if (result.kind === 'decoded') {
      decoded = result.bytes;
      data.release();
    }
    plan = planAnswer(read, needle, facts, decoded?.length, decoded !== undefined);
  }
  if (plan.kind === 'passthrough') return passLearning(entry, needle, plan);
  if (plan.kind !== 'answer') throw new TypeError(`a plan asked for the same twice: ${plan.kind}`);

  const bytes =
    decoded === undefined
      ? await fetchRanges(fetcher, needle, plan.ranges, data, options)
      : decodedSlices(decoded, plan);
  if (bytes.kind !== 'slices') return noBytes(options, entry, bytes);
  const varying = {
    requestId: newRequestId(),
    date: httpDate(),
    boundary: plan.multipart ? randomBytes(30).toString('hex') : '',
  };
  return {
    kind: 'answer',
    source: 'rdma',
    transport: fetcher.state.kind === 'up' ? fetcher.state.transport : 'unknown',
    answer: buildAnswer(plan, read, needle, facts, bytes.slices, varying),
    close: read.close,
    release: () => data.release(),
  };
}

/** One answer is made of one set of facts, whatever expires while the target answers. */
function snapshotOf(facts: HostFacts): HostFacts {
  const types = new Map<string, string | undefined>();
  return {
    server: facts.server,
    typeOf(ext): string | undefined {
      if (!types.has(ext)) types.set(ext, facts.typeOf(ext));
      return types.get(ext);
    },
  };
}

function noBytes(
  options: NeedleRouteOptions,
  entry: TargetEntry,
  bytes: Exclude<Bytes, { readonly kind: 'slices' }>,
): NeedleOutcome | 'changed' {
  return bytes.kind === 'changed' ? 'changed' : failed(options, entry, bytes.status);
}

/** Flagged as gzip but not gzip: sent as it is stored. */
async function decodeStored(
  stored: Buffer,
  bytesMax: number,
): Promise<DecodeResult | { readonly kind: 'as-stored' }> {
  return startsGzip(stored) ? await decodeGzip(stored, bytesMax) : { kind: 'as-stored' };
}

function decodedSlices(
  decoded: Buffer,
  plan: AnswerReady,
): { readonly kind: 'slices'; readonly slices: readonly Buffer[] } {
  return {
    kind: 'slices',
    slices: plan.ranges.map((range) => decoded.subarray(range.start, range.end)),
  };
}

function passLearning(
  entry: TargetEntry,
  needle: Needle,
  plan: { readonly reason: Reason; readonly learnExt?: string },
): NeedleOutcome {
  const { learnExt } = plan;
  if (learnExt === undefined) return passTo(entry.upstreamUrl, plan.reason);
  return {
    kind: 'passthrough',
    reason: plan.reason,
    upstreamUrl: entry.upstreamUrl,
    observe(status, rawHeaders): void {
      const type = learnedType(status, rawHeaders, needle);
      if (type !== undefined) entry.facts.learnType(learnExt, type);
    },
  };
}
