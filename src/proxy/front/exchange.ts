/**
 * One request on a client connection and its answer. The answering side calls `start`, `write` and `finish`; the bytes
 * go to the client's socket as they are, and the framing is counted here, so that the connection knows when it may be
 * used again. Accounts for the request exactly once.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AnswerFraming } from '../../http1/answer-body.ts';
import { lastChunk } from '../../http1/field-lines.ts';
import type { FramedRequest } from '../../http1/request-framer.ts';
import type {
  NeedleOutcome,
  OutcomeReceiver,
  PassthroughOutcome,
} from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/reasons.ts';
import type { ClientEnd, RequestRecord } from '../../needle/request-record.ts';
import type { AnswerSource, Carrier, ExchangeHost, ExchangeOwner } from './exchange-owner.ts';
import { type RefusalStatus, refusalBody, refusalHead, refusalText } from './refusal.ts';
import type { SendPace } from './send-pace.ts';

const none: AnswerFraming = { kind: 'none' };
const noBytes = Buffer.alloc(0);

export class Exchange implements OutcomeReceiver {
  readonly request: FramedRequest;
  /** Head bytes as they came. */
  readonly headBytes: Buffer;
  carrier: Carrier | undefined;
  /** Node's view of the request, once it was handed over. */
  incoming: IncomingMessage | undefined;
  outgoing: ServerResponse | undefined;
  /** Called when the socket can take more. */
  onDrain: (() => void) | undefined;
  /** Called once if the client is gone before the answer was complete. */
  onGone: (() => void) | undefined;
  /** The answer began, and its body ends where the connection does: RFC 9112 section 6.3. */
  endsWithConnection = false;

  /** Bytes of the request's body that `takeBody` has not given yet. */
  bodyLeftBytes = 0;

  readonly #owner: ExchangeOwner<Exchange>;
  readonly #host: ExchangeHost;
  readonly #socket: Socket;
  /** Taken at the start: a closed socket does not tell. */
  readonly #client: ClientEnd;
  readonly startedAtMs: number = performance.now();
  /** Since then, when the corridor had decided; 0: not asked for. */
  decidedMs = 0;
  /** A reference: observers read it while the answer ends. */
  answerHead: Buffer | string = '';
  sessionId = 0n;
  /** The volume server's failure, for the log. */
  error: string | undefined;
  #source: AnswerSource | undefined;
  #framing: AnswerFraming | undefined;
  #close: boolean;
  #bodyBytes = 0;
  #settled = false;
  #over = false;
  #corked = false;
  #awaitsContinue: boolean;

  constructor(
    request: FramedRequest,
    headBytes: Buffer,
    owner: ExchangeOwner<Exchange>,
    host: ExchangeHost,
  ) {
    this.request = request;
    this.headBytes = headBytes;
    this.#owner = owner;
    this.#host = host;
    this.#socket = owner.socket;
    this.#client = owner.client;
    this.#close = request.close;
    this.#awaitsContinue = request.block.expectsContinue;
  }

  get hasBody(): boolean {
    const { body } = this.request;
    return body.kind === 'chunked' || (body.kind === 'length' && body.bytes > 0);
  }

  /** The client may wait for `100 Continue`: it was not sent, and no byte of the body has come. */
  get awaitsContinue(): boolean {
    return this.#awaitsContinue;
  }

  /** The client has not waited, or waits no longer. */
  bodyBegan(): void {
    this.#awaitsContinue = false;
  }

  /** The head was sent. */
  get started(): boolean {
    return this.#framing !== undefined;
  }

  /** Nothing more can be sent: complete, cut, or the client is gone. */
  get over(): boolean {
    return this.#over;
  }

  get debugHeaders(): boolean {
    return this.#host.debugHeaders || this.#client.isOwn;
  }

  /** Sent, and not taken by the kernel yet. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  get pace(): SendPace {
    return this.#owner.pace;
  }

  /** Takes the bytes that came of the request's body, and not one more; undefined: there are none. */
  takeBody(): Buffer | undefined {
    const { unread } = this.#owner;
    if (this.bodyLeftBytes === 0 || unread.length === 0) return undefined;
    const bytes = unread.view().subarray(0, this.bodyLeftBytes);
    unread.consume(bytes.length);
    this.bodyLeftBytes -= bytes.length;
    this.bodyBegan();
    return bytes;
  }

  setReading(reading: boolean): void {
    if (!this.#over) this.#owner.setReading(reading);
  }

  get durationMs(): number {
    return performance.now() - this.startedAtMs;
  }

  receive(outcome: NeedleOutcome): void {
    this.#callOff();
    this.#owner.received(this, outcome);
  }

  hedge(outcome: PassthroughOutcome): boolean {
    return this.#owner.hedge(this, outcome);
  }

  /** Ends the volume server's part in a race that the target has won. */
  #callOff(): void {
    const { carrier } = this;
    this.carrier = undefined;
    carrier?.gone();
  }

  fail(error: unknown): void {
    this.#callOff();
    this.#host.bug(error);
    this.refuse(502, 'raw', refusalText('internal error'));
  }

  /** The framework's handler has the request. */
  begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.incoming = incoming;
    this.outgoing = outgoing;
    this.#owner.begun();
  }

  /** Says who answers; the last one said counts, once, when the exchange is over. */
  decide(source: AnswerSource): void {
    this.#source = source;
    if (this.#over) this.#settle();
  }

  /** `100 Continue` of the volume server, for a client that waits for it; no other client is told. */
  sendInterim(head: string): void {
    if (this.#over || this.started || !this.request.block.expectsContinue) return;
    this.#awaitsContinue = false;
    this.#send(head);
  }

  /**
   * The final answer to a request with `Expect` begins. If its body is not all here, the proxy can no longer tell
   * whether the client's next bytes are the rest of it or another request.
   */
  #endIfBodyIsInDoubt(): void {
    if (this.request.block.expectsContinue && !this.#owner.bodyDone) this.#close = true;
  }

  /**
   * @param head status line to blank line; a text is latin1
   * @param close the answer says, or its framing means, that the connection ends with it
   */
  start(head: Buffer | string, framing: AnswerFraming, close: boolean): void {
    if (this.#over || this.started) return;
    this.#framing = framing;
    this.answerHead = head;
    this.endsWithConnection = framing.kind === 'eof';
    this.#close ||= close || this.endsWithConnection;
    this.#endIfBodyIsInDoubt();
    this.#cork();
    this.#send(head);
    setImmediate(() => this.#uncork());
  }

  /** False: no more until `onDrain`. Bytes beyond a declared length cut the connection. */
  write(chunk: Buffer, flushed?: () => void): boolean {
    const framing = this.#framing;
    if (this.#over || framing === undefined || framing.kind === 'none' || chunk.length === 0) {
      flushed?.();
      return true;
    }
    this.#bodyBytes += chunk.length;
    if (framing.kind === 'length' && this.#bodyBytes > framing.bytes) {
      flushed?.();
      this.cut();
      return true;
    }
    if (framing.kind !== 'chunked') {
      const hungry = this.#send(chunk, flushed);
      this.#uncork();
      return hungry;
    }
    this.#cork();
    this.#send(`${chunk.length.toString(16)}\r\n`);
    this.#send(chunk, flushed);
    const hungry = this.#send('\r\n');
    this.#uncork();
    return hungry;
  }

  /**
   * @param rawTrailers flat; only sent with a chunked answer
   * @param requestRead the request's body was read to its end
   */
  finish(rawTrailers: readonly string[], requestRead: boolean): void {
    const framing = this.#framing;
    if (this.#over || framing === undefined) return;
    if (framing.kind === 'length' && this.#bodyBytes !== framing.bytes) {
      this.cut();
      return;
    }
    if (framing.kind === 'chunked') this.#send(lastChunk(rawTrailers));
    this.#end(requestRead && !this.#close);
  }

  /** A whole answer to a request without a body, in one write. True: `answer` is not needed any more. */
  finishWith(answer: Buffer, bodyBytes: number, close: boolean): boolean {
    if (this.#over || this.started) return true;
    this.#close ||= close;
    this.#framing = none;
    this.answerHead = answer;
    this.#bodyBytes = bodyBytes;
    // Without a callback, which costs a tick.
    this.#socket.write(answer);
    const hasLeft = this.#socket.writableLength === 0;
    this.#end(!this.#close && !this.hasBody);
    return hasLeft;
  }

  /**
   * Finishes with two pieces; `flushed` is called once: when they have left, or never will. True: they left at once.
   */
  finishWithBoth(head: Buffer, body: Buffer, close: boolean, flushed: () => void): boolean {
    if (this.#over || this.started) {
      flushed();
      return true;
    }
    this.#close ||= close;
    this.#framing = none;
    this.answerHead = head;
    this.#bodyBytes = body.length;
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(body);
    this.#socket.uncork();
    const hasLeft = this.#socket.writableLength === 0;
    if (hasLeft) flushed();
    else this.#send(noBytes, flushed);
    this.#end(!this.#close && !this.hasBody);
    return hasLeft;
  }

  /**
   * An answer's head, with what is there of its body, as they are; `pass` and `finishPassed` follow. The caller counts
   * where the answer ends, and sets `endsWithConnection`.
   *
   * @param bodyBytes how many of the body's own bytes, framing left out
   * @param close the answer says, or its framing means, that the connection ends with it
   * @returns false: no more until `drained`
   */
  passHead(bytes: Buffer, bodyBytes: number, close: boolean, flushed?: () => void): boolean {
    if (!this.started) this.#framing = none;
    this.#close ||= close;
    this.#endIfBodyIsInDoubt();
    return this.pass(bytes, bodyBytes, flushed);
  }

  pass(bytes: Buffer, bodyBytes: number, flushed?: () => void): boolean {
    if (this.#over) {
      flushed?.();
      return true;
    }
    this.#bodyBytes += bodyBytes;
    return this.#send(bytes, flushed);
  }

  /** @param requestRead the request's body was read to its end */
  finishPassed(requestRead: boolean): void {
    if (!this.#over) this.#end(requestRead && !this.#close);
  }

  /** An error of the proxy itself: the few bytes that make a client try another replica. */
  refuse(status: RefusalStatus, reason: Reason, text: string): void {
    this.decide({ outcome: 'error', reason, transport: 'none' });
    if (this.started) {
      this.cut();
      return;
    }
    const body = refusalBody(text);
    const close = this.#close || this.hasBody;
    const { http10 } = this.request.block;
    const head = refusalHead({ status, bodyBytes: body.length, http10, close });
    const bodyBytes = this.request.head.method === 'HEAD' ? 0 : body.length;
    this.finishWith(Buffer.from(bodyBytes === 0 ? head : head + body, 'latin1'), bodyBytes, close);
  }

  /** Ends the connection where it stands: after the first byte an answer is never padded. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#uncork();
    this.#settle();
    this.#owner.cut(this);
  }

  /** Only before `start`, for a request whose body was not handed on. */
  becomeRaw(upstreamUrl: string): void {
    if (this.#over || this.started) return;
    this.#over = true;
    this.#settled = true;
    this.#owner.becomeRaw(this, upstreamUrl);
  }

  /** The client is gone. */
  lost(): void {
    if (this.#over) return;
    this.#over = true;
    this.#settle();
    this.onGone?.();
    this.#callOff();
  }

  #end(reusable: boolean): void {
    this.#over = true;
    this.#uncork();
    this.#settle();
    this.#owner.finished(this, reusable);
  }

  /** False: wait for `onDrain`. `flushed` is called once: when the bytes have left, or never will. */
  #send(bytes: Buffer | string, flushed?: () => void): boolean {
    return typeof bytes === 'string'
      ? this.#socket.write(bytes, 'latin1', flushed)
      : this.#socket.write(bytes, flushed);
  }

  /** Holds back what is sent, so that a head leaves with its body's first bytes. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#socket.cork();
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }

  #settle(): void {
    if (this.#settled || this.#source === undefined) return;
    this.#settled = true;
    const { outcome, reason, transport } = this.#source;
    const record: RequestRecord = {
      outcome,
      reason,
      transport,
      sessionId: this.sessionId,
      durationMs: this.durationMs,
      bodyBytes: this.#bodyBytes,
      request: this.request.head,
      answerHead: this.answerHead,
      client: this.#client,
      error: this.error,
      decidedMs: this.decidedMs,
    };
    for (const observe of this.#host.observers) observe(record);
  }
}
