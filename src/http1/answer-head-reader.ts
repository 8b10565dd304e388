/** Reads one answer's head as it comes, past the interim answers before it. */

import { type AnswerHead, readAnswerHead } from './answer-head.ts';
import { InputBuffer } from './input-buffer.ts';
import type { RequestHead } from './request-head.ts';

export type HeadFound =
  /** `bytes`: from the head's first byte on, with what came behind it. */
  | { readonly kind: 'head'; readonly head: AnswerHead; readonly bytes: Buffer }
  | { readonly kind: 'incomplete' | 'broken' };

/** Limit for all interim answers to one request: a server could send them for ever. */
const interimBytesMax = 65_536;

const incomplete: HeadFound = { kind: 'incomplete' };
const broken: HeadFound = { kind: 'broken' };

export class AnswerHeadReader {
  readonly #request: Pick<RequestHead, 'method' | 'http10'>;
  /** Called with `100 Continue`, head bytes as they came. */
  readonly #onContinue: (head: string) => void;
  /** The beginning of a head whose end has not come. */
  #begun: InputBuffer | undefined;
  #interimBytes = 0;

  constructor(request: Pick<RequestHead, 'method' | 'http10'>, onContinue: (head: string) => void) {
    this.#request = request;
    this.#onContinue = onContinue;
  }

  /** Not after it was `head` or `broken`. */
  read(bytes: Buffer): HeadFound {
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
