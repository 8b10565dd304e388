/**
 * One GET over a pool of connections, its answer read as strictly as the relay reads one: Node's parser guesses where
 * answers end, and would give the framing of chunks, or half of an answer, for a needle's bytes.
 */
import { AnswerBody } from '../../http1/answer-body.ts';
import { type AnswerHead, AnswerHeadReader, rawHeadersOf } from '../../http1/answer-head.ts';
import { saysClose } from '../../http1/hop-by-hop.ts';
import type { PoolUser, UpstreamConnection, UpstreamPool } from '../passthrough/upstream-pool.ts';
import { BodyContent, type WantedBody } from './body-content.ts';

export interface StrictAnswer {
  readonly head: AnswerHead;
  readonly rawHeaders: readonly string[];
  /** The wanted stretch of the body, its framing taken off. */
  readonly body: Buffer;
  /** Length of the whole body, as far as it was read. */
  readonly bodyBytes: number;
  /** The body is longer than may be read. */
  readonly isCut: boolean;
}

export interface StrictGet {
  /** Latin1, blank line included. */
  readonly head: string;
  /** Tells which bytes of this answer's body are wanted. */
  readonly wantedBody: (head: AnswerHead, rawHeaders: readonly string[]) => WantedBody;
  readonly signal: AbortSignal;
}

const request = { method: 'GET' };

/** Rejects with the cause in words that follow "the volume server". */
export function strictGet(pool: UpstreamPool, asked: StrictGet): Promise<StrictAnswer> {
  return new Promise((resolve, reject) => new PooledGet(pool, asked, { resolve, reject }).begin());
}

interface Outcome {
  readonly resolve: (answer: StrictAnswer) => void;
  readonly reject: (error: Error) => void;
}

class PooledGet implements PoolUser {
  readonly #pool: UpstreamPool;
  readonly #asked: StrictGet;
  readonly #outcome: Outcome;
  #connection: UpstreamConnection | undefined;
  #reader = newReader();
  #head: AnswerHead | undefined;
  #rawHeaders: readonly string[] = [];
  #body: AnswerBody | undefined;
  #content: BodyContent | undefined;
  #wasRepeated = false;

  constructor(pool: UpstreamPool, asked: StrictGet, outcome: Outcome) {
    this.#pool = pool;
    this.#asked = asked;
    this.#outcome = outcome;
  }

  begin(): void {
    const { signal } = this.#asked;
    if (signal.aborted) {
      this.#outcome.reject(new Error('was not asked'));
      return;
    }
    signal.addEventListener('abort', this.#abort);
    this.#pool.acquire(this);
  }

  given(connection: UpstreamConnection): void {
    this.#connection = connection;
    connection.write(Buffer.from(this.#asked.head, 'latin1'));
  }

  received(bytes: Buffer): boolean {
    if (this.#body === undefined || this.#content === undefined) this.#readHead(bytes);
    else this.#readBody(this.#body, this.#content, bytes);
    return true;
  }

  #readHead(bytes: Buffer): void {
    const found = this.#reader.read(bytes);
    if (found.kind === 'head') this.#begin(found.head, found.bytes);
    // On a used connection it may be what was left of an earlier answer.
    else if (found.kind === 'broken' && !this.#repeats()) this.#fail('sent no valid answer');
  }

  #begin(head: AnswerHead, bytes: Buffer): void {
    // The end of a connection may be a fault as well: it is no proof of a whole answer.
    if (head.framing.kind === 'eof') {
      this.#fail('did not say where its answer ends');
      return;
    }
    this.#head = head;
    this.#rawHeaders = rawHeadersOf(head);
    this.#content = new BodyContent(this.#asked.wantedBody(head, this.#rawHeaders), head.framing);
    this.#body = new AnswerBody(head.framing);
    this.#readBody(this.#body, this.#content, bytes.subarray(head.headBytes));
  }

  #readBody(body: AnswerBody, content: BodyContent, bytes: Buffer): void {
    const taken = body.take(bytes, (from, to) => content.add(bytes.subarray(from, to)));
    if (taken === undefined) {
      this.#fail('sent no valid answer');
      return;
    }
    content.count(taken);
    if (body.ownBytes > content.readBytesMax) this.#finish(content, true, false);
    else if (content.isMostlyFraming) this.#fail('cut its answer into too many chunks');
    else if (body.done) this.#finish(content, false, taken === bytes.length);
  }

  #finish({ held, bodyBytes }: BodyContent, isCut: boolean, isReusable: boolean): void {
    const head = this.#head as AnswerHead;
    const connection = this.#leave() as UpstreamConnection;
    if (isReusable && !head.http10 && !saysClose(this.#rawHeaders)) this.#pool.giveBack(connection);
    else connection.destroy();
    const rawHeaders = this.#rawHeaders;
    this.#outcome.resolve({ head, rawHeaders, body: held, bodyBytes, isCut });
  }

  writable(): void {}

  /** The caller's signal has the deadline. */
  tick(): void {}

  upstreamGone(error: NodeJS.ErrnoException | undefined): void {
    if (this.#body !== undefined) this.#fail('broke off in the middle of its answer');
    else if (!this.#repeats()) {
      this.#fail(`does not answer: ${error?.message ?? 'it closed the connection'}`);
    }
  }

  /** An idle connection may be closed while the next request is on its way: once more, on another one. */
  #repeats(): boolean {
    const connection = this.#connection;
    if (connection?.isUsed !== true || this.#wasRepeated) return false;
    this.#wasRepeated = true;
    this.#reader.end();
    this.#reader = newReader();
    connection.destroy();
    this.#pool.open(this);
    return true;
  }

  readonly #abort = (): void => this.#fail('does not answer: it was let go');

  #fail(cause: string): void {
    this.#leave()?.destroy();
    this.#pool.forget(this);
    this.#outcome.reject(new Error(cause));
  }

  #leave(): UpstreamConnection | undefined {
    this.#asked.signal.removeEventListener('abort', this.#abort);
    this.#reader.end();
    const connection = this.#connection;
    this.#connection = undefined;
    return connection;
  }
}

function newReader(): AnswerHeadReader {
  return new AnswerHeadReader(request, () => undefined);
}
