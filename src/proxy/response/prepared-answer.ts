/** An answer that was built once and is sent again: only the request id and the date differ (specification 5.1, 5.2). */
import type { AnswerReady, Varying } from './answer.ts';
import { httpDateChars, writeHttpDate } from './date.ts';
import { requestIdChars, writeRequestId } from './request-id.ts';

/** Bytes that no header of ours holds; a needle's pairs may, and then nothing is prepared. */
const idMark = '\u0001';
const dateMark = '\u0002';

/** Of the object and its text beside its characters, as measured on Node 24. */
const objectBytes = 136;

/** Built with these, a head can be made into a template. */
export const marks: Varying = { requestId: idMark, date: dateMark, boundary: '' };

export class PreparedAnswer {
  readonly status: AnswerReady['status'];
  /** Which bytes follow: all of them, or none. */
  readonly body: AnswerReady['form'] | 'none';
  /** What the host said of the type, and its `Server` value, when this was made. */
  readonly contentType: string;
  readonly server: string;
  /** Latin1, with blanks in place of the request id and the date. */
  readonly #head: string;
  readonly #idAt: number;
  readonly #dateAt: number;

  private constructor(plan: AnswerReady, server: string, parts: readonly [string, string, string]) {
    this.status = plan.status;
    this.body = plan.ranges.length === 0 ? 'none' : plan.form;
    this.contentType = plan.contentType;
    this.server = server;
    const [beforeId, beforeDate, afterDate] = parts;
    this.#idAt = beforeId.length;
    this.#dateAt = this.#idAt + requestIdChars + beforeDate.length;
    const id = ' '.repeat(requestIdChars);
    const date = ' '.repeat(httpDateChars);
    // One text, not a tree of its parts, which would be walked at each answer.
    const head = Buffer.from(beforeId + id + beforeDate + date + afterDate, 'latin1');
    this.#head = head.toString('latin1');
  }

  /** `head` was built with `marks`; undefined where it is none to be made into a template. */
  static of(plan: AnswerReady, server: string, head: string): PreparedAnswer | undefined {
    const [beforeId, rest, ...more] = head.split(idMark);
    const [beforeDate, afterDate, ...others] = (rest ?? '').split(dateMark);
    if (beforeId === undefined || beforeDate === undefined || afterDate === undefined) {
      return undefined;
    }
    if (more.length > 0 || others.length > 0) return undefined;
    return new PreparedAnswer(plan, server, [beforeId, beforeDate, afterDate]);
  }

  /** What it costs to hold, in bytes. */
  get bytes(): number {
    return this.#head.length + objectBytes;
  }

  get headBytes(): number {
    return this.#head.length;
  }

  /** The head for one answer, latin1. */
  get head(): string {
    const bytes = Buffer.allocUnsafe(this.headBytes);
    this.writeHead(bytes);
    return bytes.toString('latin1');
  }

  /** The same, `headBytes` long, at the start of `target`. */
  writeHead(target: Buffer): void {
    target.write(this.#head, 0, 'latin1');
    const nowMs = performance.now();
    writeRequestId(target, this.#idAt, nowMs);
    writeHttpDate(target, this.#dateAt, nowMs);
  }
}
