/**
 * Needle + ReadRequest → status, headers, ranges. Pure; the one implementation of the response semantics
 * (specification sections 5 to 7). The corridor calls planAnswer, gets the bytes that the plan names, then buildAnswer.
 */
import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { ServerKind } from '../../volume-server/rust-server.ts';
import type { Reason } from '../reasons.ts';
import { etagOf, isCompressed, isManifest } from '../record.ts';
import { extensionOf } from '../request/needle-path.ts';
import type { ReadRequest } from '../request/read-request.ts';
import {
  commonHeaders,
  contentEncoding,
  contentType,
  formatHead,
  hasEncoding,
  hasTypeOverride,
  type PairHeaders,
  pairHeaders,
  setContentHeaders,
  typeKey,
} from './answer-headers.ts';
import type { AnswerPlan, AnswerReady, HostFacts, Varying } from './answer-plan.ts';
import { parseHttpTime } from './http-time.ts';
import { multipartBody, multipartBytes } from './multipart.ts';
import { type ByteRange, contentRange, planRanges } from './ranges.ts';
import { bufferedKey, canAnswerAsRust, isStreamedByRust, rustHead } from './rust-answer.ts';
import { sniffContentType } from './sniff.ts';

/** An answer whose head need not be made into a text. */
export interface FlatAnswer {
  readonly headBytes: number;
  /** To the start of `target`. */
  copyHeadTo(target: Buffer): void;
  /** Head and body, to the start of `target`. */
  copyTo(target: Buffer): void;
}

export interface Answer {
  readonly status: 200 | 206 | 304;
  /** Where it can be copied without making `head` and `body`. */
  readonly flat?: FlatAnswer;
  /** Status line to blank line, latin1. */
  readonly head: string;
  /** In order; views of the slices that were given, and generated part heads. */
  readonly body: readonly Buffer[];
  readonly bodyBytes: number;
  /** Size of the whole needle in the form that is sent, whatever part of it the body has; 0 in a 304. */
  readonly totalBytes: number;
}

/**
 * Plans an answer, as far as it can be told: `decodedBytes` and `startsGzip` are absent until a plan asked for them.
 */
export function planAnswer(
  request: ReadRequest,
  needle: NeedleFacts,
  facts: HostFacts,
  decodedBytes?: number,
  startsGzip?: boolean,
): AnswerPlan {
  if (facts.server === undefined) return passed('learn-server');
  if (facts.kind === 'rust' && !canAnswerAsRust(request, needle)) {
    return passed('unsupported-server');
  }
  // The volume server reads nothing of an empty needle from disk, so its cookie is unknown.
  if (needle.dataBytes === 0) return passed('cookie');
  if (isImageOperation(request, needle)) return passed('image');
  if (isNotModified(request, needle)) return notModified;
  if (isManifest(needle.flags) && !request.manifestAsIs) return passed('manifest');
  const pairs = pairHeaders(needle.pairs);
  if (pairs === undefined) return passed('headers');
  const form = chooseForm(request, needle, decodedBytes, startsGzip);
  if ('kind' in form) return form;
  return planContent(request, needle, facts, pairs, form);
}

const notModified: AnswerReady = {
  kind: 'answer',
  status: 304,
  form: 'stored',
  totalBytes: 0,
  encoded: false,
  contentType: '',
  ranges: [],
  multipart: false,
};

function passed(reason: Reason): AnswerPlan {
  return { kind: 'passthrough', reason };
}

const imageExtensions: ReadonlySet<string> = new Set(['.png', '.jpg', '.jpeg', '.gif', '.webp']);

/** The extension is the URL's, else that of the stored name where the URL has no filename. */
function isImageOperation(request: ReadRequest, needle: NeedleFacts): boolean {
  if (!request.wantsImageOperation) return false;
  const fromName = request.urlExt === '' && request.urlFilename === '';
  const ext = fromName ? extensionOf(needle.name) : request.urlExt;
  return imageExtensions.has(ext.toLowerCase());
}

/** Specification section 7: the two conditions are independent. */
function isNotModified(request: ReadRequest, needle: NeedleFacts): boolean {
  if (request.ifModifiedSince !== undefined && needle.lastModifiedSeconds !== 0) {
    const since = parseHttpTime(request.ifModifiedSince);
    if (since !== undefined && since >= needle.lastModifiedSeconds) return true;
  }
  return request.ifNoneMatch === etagOf(needle.checksum);
}

type Form = Pick<AnswerReady, 'form' | 'totalBytes' | 'encoded'>;

/** Specification 6.1. */
function chooseForm(
  request: ReadRequest,
  needle: NeedleFacts,
  decodedBytes: number | undefined,
  startsGzip: boolean | undefined,
): Form | { readonly kind: 'peek' } | { readonly kind: 'decode' } {
  const stored: Form = { form: 'stored', totalBytes: needle.dataBytes, encoded: false };
  if (!isCompressed(needle.flags) || startsGzip === false) return stored;
  if (request.acceptsGzip) {
    return startsGzip === undefined ? { kind: 'peek' } : { ...stored, encoded: true };
  }
  if (decodedBytes === undefined) return { kind: 'decode' };
  return { form: 'decoded', totalBytes: decodedBytes, encoded: false };
}

/** net/http counts the length of a small answer itself, and sends a longer one in chunks. */
const countedBytesMax = 2048;

function planContent(
  request: ReadRequest,
  needle: NeedleFacts,
  facts: HostFacts,
  pairs: PairHeaders,
  form: Form,
): AnswerPlan {
  const { totalBytes } = form;
  const whole = { start: 0, end: totalBytes };
  const wanted =
    request.method === 'HEAD' || request.range === undefined
      ? undefined
      : planRanges(request.range, totalBytes);
  if (wanted?.kind === 'odd') return passed('headers');
  const multipart = wanted?.kind === 'multiple';

  const type = contentType(request, needle, facts);
  if (type === undefined && (multipart || !hasTypeOverride(request))) {
    return learning(request, needle, facts.kind, multipart);
  }
  if (facts.kind === 'rust' && !isStreamedByRust(request, needle)) {
    const isEmpty = wanted?.kind === 'single' && wanted.range.start >= wanted.range.end;
    if (isEmpty) return passed('unsupported-server');
    const writing = facts.typeOf(bufferedKey);
    if (writing === undefined) {
      return { kind: 'passthrough', reason: 'learn-type', learnExt: bufferedKey };
    }
    if (writing !== 'counted') return passed('unsupported-server');
  }
  const base = { kind: 'answer', ...form, contentType: type ?? '', multipart } as const;
  if (wanted === undefined) {
    return { ...base, status: 200, ranges: request.method === 'HEAD' ? [] : [whole] };
  }
  if (wanted.kind === 'single') return { ...base, status: 206, ranges: [wanted.range] };
  if (contentEncoding(request, pairs, form.encoded) !== '') {
    const shape = { ranges: wanted.ranges, totalBytes, partType: base.contentType };
    const isChunked = multipartBytes(shape) > countedBytesMax;
    if (isChunked || pairs.has('Content-Length')) return passed('headers');
  }
  return { ...base, status: 206, ranges: wanted.ranges };
}

/** Only the answer to a plain GET shows whether its type is the extension's. */
function learning(
  request: ReadRequest,
  needle: NeedleFacts,
  kind: ServerKind,
  multipart: boolean,
): AnswerPlan {
  const isTelling =
    request.method === 'GET' &&
    request.overrides.length === 0 &&
    needle.pairs === '' &&
    !isManifest(needle.flags) &&
    !multipart;
  if (!isTelling) return passed('learn-type');
  const learnExt = typeKey(request, needle, kind) ?? '';
  return { kind: 'passthrough', reason: 'learn-type', learnExt };
}

const statusLines = { 200: '200 OK', 206: '206 Partial Content', 304: '304 Not Modified' } as const;

/** `slices[i]` holds the bytes of `plan.ranges[i]`. Of `facts`, only the server is asked. */
export function buildAnswer(
  plan: AnswerReady,
  request: ReadRequest,
  needle: NeedleFacts,
  facts: HostFacts,
  slices: readonly Buffer[],
  varying: Varying,
): Answer {
  const status = statusLines[plan.status];
  const { ranges, totalBytes } = plan;
  if (facts.kind === 'rust') {
    const body = slices.filter((slice) => slice.length > 0);
    const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
    const head = rustHead({ plan, request, needle, facts, bodyBytes, varying, status });
    return { status: plan.status, head, body, bodyBytes, totalBytes };
  }
  const headers = commonHeaders(request, needle, facts, varying);
  const added = { date: varying.date, close: request.close, http10: request.http10 };
  if (plan.status === 304) {
    const head = formatHead({ status, headers, added });
    return { status: 304, head, body: [], bodyBytes: 0, totalBytes };
  }
  setContentHeaders(headers, plan, request, needle);
  const body = plan.multipart
    ? multipartBody({ ranges, totalBytes, partType: plan.contentType }, slices, varying.boundary)
    : slices.filter((slice) => slice.length > 0);
  const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
  // A multipart answer with an encoding leaves its length to net/http, which puts it behind Date.
  const isCounted = plan.multipart && hasEncoding(headers);
  if (plan.multipart) {
    headers.set('Content-Type', `multipart/byteranges; boundary=${varying.boundary}`);
  } else if (plan.status === 206) {
    headers.set('Content-Range', contentRange(ranges[0] as ByteRange, totalBytes));
  }
  if (!isCounted) {
    headers.set('Content-Length', String(request.method === 'HEAD' ? totalBytes : bodyBytes));
  }
  const [first] = body;
  const isSniffed = first !== undefined && !headers.has('Content-Type') && !hasEncoding(headers);
  const head = formatHead({
    status,
    headers,
    added: {
      ...added,
      contentLength: isCounted ? bodyBytes : undefined,
      contentType: isSniffed ? sniffContentType(first) : undefined,
    },
  });
  return { status: plan.status, head, body, bodyBytes, totalBytes };
}
