/**
 * Finds the head of a volume server's answer in the bytes of a connection. A strict recogniser: what two parsers could
 * read differently is `broken`. Values may have bytes from 0x80 on, as names of needles do. RFC 9112 sections 4 to 6. Pure.
 */
import { type AnswerFraming, answerFraming } from '../lane/answer-framing.ts';
import { splitFields, trimBlanks } from '../lane/field-lines.ts';
import type { RequestHead } from '../needle/request-head.ts';

export interface AnswerHead {
  readonly kind: 'head';
  readonly status: number;
  /** Blank line included. */
  readonly headBytes: number;
  /** latin1, without the blank line. */
  readonly text: string;
  readonly framing: AnswerFraming;
  readonly hasConnection: boolean;
}

export type AnswerHeadVerdict =
  | AnswerHead
  /** A 1xx: the answer follows. */
  | { readonly kind: 'interim'; readonly status: number; readonly headBytes: number }
  | { readonly kind: 'incomplete' | 'broken' };

/** Volume servers send up to 64 KiB of pairs. */
export const answerHeadBytesMax = 1_048_576;

const incomplete: AnswerHeadVerdict = { kind: 'incomplete' };
const broken: AnswerHeadVerdict = { kind: 'broken' };

const wholeHead =
  /^HTTP\/1\.[01] [1-9][0-9]{2} [\t -~\x80-\xff]*\r\n(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*\r\n)*$/;
const firstBytes = Buffer.from('HTTP/1.1 ', 'latin1');
const firstBytes10 = Buffer.from('HTTP/1.0 ', 'latin1');
const bareLineFeed = /[^\r]\n/;

/**
 * @param request an answer to HTTP/1.0 may be of that version, and has no chunks
 * @param bytes all that came
 * @param scannedBytes how many of them an earlier call called `incomplete`
 */
export function readAnswerHead(
  { method, http10 = false }: Pick<RequestHead, 'method' | 'http10'>,
  bytes: Buffer,
  scannedBytes: number,
): AnswerHeadVerdict {
  const end = bytes.indexOf('\r\n\r\n', Math.max(0, scannedBytes - 3), 'latin1');
  if (end < 0) return isStillPlausible(bytes, scannedBytes, http10) ? incomplete : broken;
  const text = bytes.toString('latin1', 0, end + 2);
  if (end > answerHeadBytesMax || !wholeHead.test(text)) return broken;
  if (text.charCodeAt(minorAt) === zero && !http10) return broken;

  const status = Number(text.slice(9, 12));
  // Nobody is asked to switch protocols: what clients offer ends here.
  if (status < 200)
    return status === 101 ? broken : { kind: 'interim', status, headBytes: end + 4 };
  let lengthOrCoding: string[] | undefined;
  let hasConnection = false;
  let hasCoding = false;
  let at = text.indexOf('\r') + 2;
  while (at < text.length) {
    const colon = text.indexOf(':', at);
    const lineEnd = text.indexOf('\r', colon);
    switch (colon - at) {
      case 10:
        hasConnection ||= text.slice(at, colon).toLowerCase() === 'connection';
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
  }
  // One of them alone, or the same length twice: else two parsers see two ends.
  if (hasCoding && (http10 || lengthOrCoding?.length !== 2)) return broken;
  const framing = answerFraming(method, status, lengthOrCoding ?? none);
  if (framing === undefined) return broken;
  return { kind: 'head', status, headBytes: end + 4, text, framing, hasConnection };
}

const none: readonly string[] = [];
/** Of the version's last digit. */
const minorAt = 7;
const zero = 0x30;

/** Flat, as received. */
export function rawHeadersOf({ text }: AnswerHead): readonly string[] {
  return splitFields(text.slice(text.indexOf('\n') + 1));
}

/** A head that never ends as heads do must not be waited for. */
function isStillPlausible(bytes: Buffer, scannedBytes: number, http10: boolean): boolean {
  if (bytes.length > answerHeadBytesMax) return false;
  if (!startsLike(bytes, firstBytes) && !(http10 && startsLike(bytes, firstBytes10))) return false;
  return !bareLineFeed.test(bytes.toString('latin1', Math.max(0, scannedBytes - 1)));
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const compared = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, compared, 0, compared) === 0;
}
