/**
 * Looks at all bytes of an answer as they came, before Node's parser gets them: the parser is more lenient than the
 * client's may be, does not tell it, and skips line ends behind an answer.
 */

import { isShortChunked } from '../../connections/answer-pace.ts';
import { AnswerBody } from '../../http1/answer-body.ts';
import { type AnswerHead, AnswerHeadReader, type AskedHead } from '../../http1/answer-head.ts';

/** Bytes for Node's parser. */
export interface Judged {
  readonly bytes: Buffer;
  readonly isShortChunked: boolean;
}

export class JudgedAnswer {
  readonly #reader: AnswerHeadReader;
  readonly #onBroken: () => void;
  #body: AnswerBody | undefined;
  head: AnswerHead | undefined;
  /** There were bytes behind the answer's end: the connection is not used again. */
  hasStray = false;

  /** @param onBroken two parsers could read it differently: called once, and no more bytes are judged */
  constructor(request: AskedHead, onContinue: (head: string) => void, onBroken: () => void) {
    this.#reader = new AnswerHeadReader(request, onContinue);
    this.#onBroken = onBroken;
  }

  /** Undefined: Node gets none of the bytes. */
  judge(bytes: Buffer): Judged | undefined {
    if (this.#body !== undefined) return this.#judgeBody(this.#body, bytes, bytes);
    const found = this.#reader.read(bytes);
    if (found.kind === 'broken') return this.#broken();
    if (found.kind !== 'head') return { bytes, isShortChunked: false };
    this.head = found.head;
    this.#body = new AnswerBody(found.head.framing);
    return this.#judgeBody(this.#body, found.bytes.subarray(found.head.headBytes), bytes);
  }

  /** @param rest the part of `bytes` behind the head */
  #judgeBody(body: AnswerBody, rest: Buffer, bytes: Buffer): Judged | undefined {
    const { framingBytes } = body;
    const taken = body.take(rest);
    if (taken === undefined) return this.#broken();
    const strayBytes = rest.length - taken;
    this.hasStray ||= strayBytes > 0;
    return {
      bytes: bytes.subarray(0, bytes.length - strayBytes),
      isShortChunked: isShortChunked(taken, body.framingBytes - framingBytes),
    };
  }

  /** To be called when no more bytes are judged. Idempotent. */
  end(): void {
    this.#reader.end();
  }

  #broken(): undefined {
    this.#onBroken();
  }
}
