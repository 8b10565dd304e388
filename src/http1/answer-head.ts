/**
 * Finds the head of a volume server's answer in the bytes of a connection. A strict recogniser: what two parsers could
 * read differently is `broken`, as its end could be another's beginning. Values may have any byte that ends no line, as
 * the names and types that uploaders choose do. RFC 9112 sections 4 to 6. Pure.
 */
import { type AnswerFraming, answerFraming } from './answer-body.ts';
import { splitFields, trimBlanks } from './field-lines.ts';
import { InputBuffer } from './request-framer.ts';
import type { RequestHead } from './request-head.ts';

export interface AnswerHead {
  readonly kind: 'head';
  readonly status: number;
  /** Blank line included. */
  readonly headBytes: number;
  /** latin1, without the blank line; a Content-Length that came more than once stands here once. */
  readonly text: string;
  /** The text is no longer what came. */
  readonly isMended: boolean;
  readonly framing: AnswerFraming;
  readonly hasConnection: boolean;
  /** The answer is of HTTP/1.0. */
  readonly http10: boolean;
}

export type AnswerHeadVerdict =
  | AnswerHead
  /** A 1xx: the answer follows. */
  | { readonly kind: 'interim'; readonly status: number; readonly headBytes: number }
  | { readonly kind: 'incomplete' | 'broken' };

/** The request, as far as its answer's head depends on it. */
export type AskedHead = Pick<RequestHead, 'method' | 'http10'> &
  Partial<Pick<RequestHead, 'target'>>;

/** Volume servers send up to 64 KiB of pairs, and headers of their own. */
const ownHeadBytesMax = 131_072;
/** Names, overrides and redirects repeat parts of the target, escaped in up to four bytes for each of its own. */
const headBytesPerTargetByte = 4;
/** A JSON object of 64 KiB has at most 9,362 pairs. */
export const answerHeadLinesMax = 10_000;
/** Values of all Connection lines of an answer: each name in them takes another header away. */
export const connectionBytesMax = 4_096;

/** A longer head is broken. */
export function answerHeadBytesMax({ target = '' }: Pick<AskedHead, 'target'>): number {
  return ownHeadBytesMax + headBytesPerTargetByte * target.length;
}

const incomplete: { readonly kind: 'incomplete' } = { kind: 'incomplete' };
const broken: { readonly kind: 'broken' } = { kind: 'broken' };

const wholeHead =
  /^HTTP\/1\.[01] [1-9][0-9]{2} [^\r\n]*\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n]*\r\n)*$/;
const firstBytes = Buffer.from('HTTP/1.1 ', 'latin1');
const firstBytes10 = Buffer.from('HTTP/1.0 ', 'latin1');
/** Matches in a line whose end has not come, too: the byte behind a carriage return tells. */
const bareLineEnd = /[^\r]\n|\r[^\n]/;

/**
 * @param request an answer to HTTP/1.0 has no chunks
 * @param bytes all that came
 * @param scannedBytes how many of them an earlier call called `incomplete`
 */
export function readAnswerHead(
  asked: AskedHead,
  bytes: Buffer,
  scannedBytes: number,
): AnswerHeadVerdict {
  const { method, http10 = false } = asked;
  const bytesMax = answerHeadBytesMax(asked);
  const end = bytes.indexOf('\r\n\r\n', Math.max(0, scannedBytes - 3), 'latin1');
  if (end < 0) return isStillPlausible(bytes, scannedBytes, bytesMax) ? incomplete : broken;
  if (end > bytesMax) return broken;
  const text = bytes.toString('latin1', 0, end + 2);
  if (!wholeHead.test(text)) return broken;

  const status = Number(text.slice(9, 12));
  // The proxy asks no server to switch protocols: a client's offer ends here.
  if (status < 200)
    return status === 101 ? broken : { kind: 'interim', status, headBytes: end + 4 };
  let lengthOrCoding: string[] | undefined;
  let connectionBytes = 0;
  let hasConnection = false;
  let lineCount = 0;
  let hasCoding = false;
  let at = text.indexOf('\r') + 2;
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r', colon);
    switch (colon - at) {
      case 10:
        if (text.slice(at, colon).toLowerCase() !== 'connection') break;
        hasConnection = true;
        connectionBytes += lineEnd - colon - 1;
        break;
      case 14:
      case 17: {
        const name = text.slice(at, colon).toLowerCase();
        if (name !== 'content-length' && name !== 'transfer-encoding') break;
        hasCoding ||= name === 'transfer-encoding';
        lengthOrCoding ??= [];
        lengthOrCoding.push(name, trimBlanks(text, colon + 1, lineEnd));
      }
    }
    at = lineEnd + 2;
    lineCount += 1;
  }
  if (lineCount > answerHeadLinesMax || connectionBytes > connectionBytesMax) return broken;
  const isOld = text.charCodeAt(minorAt) === zero;
  // A coding stands alone, and lengths are equal: else two parsers see two ends.
  if (hasCoding && (http10 || isOld || lengthOrCoding?.length !== 2)) return broken;
  const framing =
    http10 && isOld && !hasConnection && isNegative(lengthOrCoding)
      ? noBody
      : answerFraming(method, status, lengthOrCoding ?? none);
  if (framing === undefined) return broken;
  const isMended = lengthOrCoding !== undefined && lengthOrCoding.length > 2;
  return {
    kind: 'head',
    status,
    headBytes: end + 4,
    text: isMended ? withOneLength(text) : text,
    isMended,
    framing,
    hasConnection,
    http10: isOld,
  };
}

/** RFC 9110 section 8.6: equal lengths are forwarded as one, since a client may refuse two. */
function withOneLength(text: string): string {
  let count = 0;
  return text.replace(lengthLine, (line) => {
    count += 1;
    return count === 1 ? line : '';
  });
}

const lengthLine = /(?<=\n)content-length:[^\r]*\r\n/gi;

const none: readonly string[] = [];
/** To HTTP/1.0 the volume server gives `Range: bytes=--5` a negative length and no body, and closes. */
const noBody: AnswerFraming = { kind: 'none' };

function isNegative(lengthOrCoding: readonly string[] | undefined): boolean {
  return lengthOrCoding?.length === 2 && /^-[1-9][0-9]{0,14}$/.test(lengthOrCoding[1] as string);
}

/** Offset of the version's last digit. */
const minorAt = 7;
const zero = 0x30;

/** Flat, as received. */
export function rawHeadersOf({ text }: AnswerHead): readonly string[] {
  return splitFields(text.slice(text.indexOf('\n') + 1));
}

/** A head that never ends as heads do must not be waited for. */
function isStillPlausible(bytes: Buffer, scannedBytes: number, bytesMax: number): boolean {
  if (bytes.length > bytesMax) return false;
  if (!startsLike(bytes, firstBytes) && !startsLike(bytes, firstBytes10)) return false;
  return !bareLineEnd.test(bytes.toString('latin1', Math.max(0, scannedBytes - 1)));
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const compared = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, compared, 0, compared) === 0;
}

export type HeadFound =
  /** `bytes`: from the head's first byte on, with what came behind it. */
  | { readonly kind: 'head'; readonly head: AnswerHead; readonly bytes: Buffer }
  | { readonly kind: 'incomplete' | 'broken' };

/** Limit for all interim answers to one request: a server could send them for ever. */
const interimBytesMax = 65_536;

/** Limit for all heads that are not complete together: a server could begin thousands and end none. */
export const unfinishedBytesMax = 33_554_432;
/** Beyond it, a head that is not complete may have so many. */
export const unfinishedShareBytes = 16_384;
let unfinishedBytes = 0;

/** Reads one answer's head as it comes, past the interim answers before it. */
export class AnswerHeadReader {
  readonly #request: AskedHead;
  /** Called with `100 Continue`, head bytes as they came. */
  readonly #onContinue: (head: string) => void;
  /** The beginning of a head whose end has not come. */
  #begun: InputBuffer | undefined;
  #interimBytes = 0;
  /** The part of `unfinishedBytes` that is this head's. */
  #countedBytes = 0;

  constructor(request: AskedHead, onContinue: (head: string) => void) {
    this.#request = request;
    this.#onContinue = onContinue;
  }

  /** Not after it was `head` or `broken`. */
  read(bytes: Buffer): HeadFound {
    const found = this.#read(bytes);
    const beginningBytes = found.kind === 'incomplete' ? (this.#begun?.length ?? 0) : 0;
    this.#count(beginningBytes);
    if (beginningBytes <= unfinishedShareBytes || unfinishedBytes <= unfinishedBytesMax) {
      return found;
    }
    this.end();
    return broken;
  }

  /** To be called when the head is not waited for any more. Idempotent. */
  end(): void {
    this.#begun = undefined;
    this.#count(0);
  }

  #count(bytes: number): void {
    unfinishedBytes += bytes - this.#countedBytes;
    this.#countedBytes = bytes;
  }

  #read(bytes: Buffer): HeadFound {
    const scannedBytes = this.#begun?.length ?? 0;
    this.#begun?.append(bytes);
    let unread = this.#begun?.view() ?? bytes;
    let verdict = readAnswerHead(this.#request, unread, scannedBytes);
    while (verdict.kind === 'interim') {
      this.#interimBytes += verdict.headBytes;
      if (this.#interimBytes > interimBytesMax) return broken;
      if (verdict.status === 100) this.#onContinue(unread.toString('latin1', 0, verdict.headBytes));
      unread = unread.subarray(verdict.headBytes);
      verdict = readAnswerHead(this.#request, unread, 0);
    }
    if (verdict.kind === 'broken') return broken;
    if (verdict.kind === 'head') return { kind: 'head', head: verdict, bytes: unread };
    this.#keep(unread);
    return incomplete;
  }

  /** Copies the unread bytes: the next read overwrites them. */
  #keep(unread: Buffer): void {
    if (unread.length === this.#begun?.length) return;
    this.#begun = unread.length === 0 ? undefined : new InputBuffer();
    this.#begun?.append(Buffer.from(unread));
  }
}
