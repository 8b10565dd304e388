/** Where an answer ends: as its headers tell (RFC 9112 section 6.3), and as its bytes are counted. */
import { type OnContent, RequestBody } from './request-body.ts';

/** How an answer's end is told; for every writer of an answer. */
export type AnswerFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'eof' };

const none: AnswerFraming = { kind: 'none' };
const chunked: AnswerFraming = { kind: 'chunked' };
const eof: AnswerFraming = { kind: 'eof' };

/**
 * @param rawHeaders flat, as received
 * @returns undefined: an end that cannot be understood, or that two parsers could see in two places
 */
export function answerFraming(
  method: string,
  status: number,
  rawHeaders: readonly string[],
): AnswerFraming | undefined {
  const framing = bodyFraming(rawHeaders);
  // RFC 9112 section 6.1 forbids it, and some clients wait for the chunks.
  if (status === 204 && framing?.kind === 'chunked') return undefined;
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304;
  return hasBody || framing === undefined ? framing : none;
}

/**
 * Reads the framing even without a body: a client that does not know that there is none must not find one of another
 * length.
 */
function bodyFraming(rawHeaders: readonly string[]): AnswerFraming | undefined {
  let length: string | undefined;
  let coding: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (name === 'transfer-encoding') {
      if (coding !== undefined) return undefined;
      coding = value;
    } else if (name === 'content-length') {
      if (length !== undefined && length !== value) return undefined;
      length = value;
    }
  }
  if (coding !== undefined) {
    return length === undefined && /^chunked$/i.test(coding) ? chunked : undefined;
  }
  if (length === undefined) return eof;
  return /^[0-9]{1,15}$/.test(length) ? { kind: 'length', bytes: Number(length) } : undefined;
}

/** Counts which bytes of a volume server's connection belong to the answer in hand. */
export class AnswerBody {
  readonly endsWithConnection: boolean;
  #leftBytes: number;
  #ownBytes = 0;
  /** Chunks of answers are framed as those of requests are. */
  readonly #chunks: RequestBody | undefined;

  constructor(framing: AnswerFraming) {
    this.endsWithConnection = framing.kind === 'eof';
    this.#chunks = framing.kind === 'chunked' ? new RequestBody(framing) : undefined;
    if (framing.kind === 'length') this.#leftBytes = framing.bytes;
    else this.#leftBytes = this.endsWithConnection ? Number.POSITIVE_INFINITY : 0;
  }

  get done(): boolean {
    return this.#chunks?.done ?? this.#leftBytes === 0;
  }

  /** Bytes of the body taken so far, framing left out. */
  get ownBytes(): number {
    return this.#chunks?.chunkBytes ?? this.#ownBytes;
  }

  /** Bytes taken so far that are no content. */
  get framingBytes(): number {
    return this.#chunks?.framingBytes ?? 0;
  }

  /**
   * How many of the bytes, from their start, belong to this answer; undefined: its framing is broken.
   *
   * @param onContent called with each stretch of `bytes` that is content
   */
  take(bytes: Buffer, onContent?: OnContent): number | undefined {
    if (this.#chunks !== undefined) return this.#chunks.take(bytes, onContent);
    const taken = Math.min(bytes.length, this.#leftBytes);
    onContent?.(0, taken);
    this.#leftBytes -= taken;
    this.#ownBytes += taken;
    return taken;
  }
}
