/**
 * The way of an outcome to the client: an answer is sent, a request is forwarded, or an error is said; the same for the lane
 * and for the framework. Too much in hand is an outcome, too, and the corridor is not asked then.
 */

import type { AnswerPace } from '../../connections/answer-pace.ts';
import type { RequestHead } from '../../http1/request-head.ts';
import type { NeedleOutcome, NeedleRoute } from '../../needle/needle-outcome.ts';
import type { Lanes } from '../lanes/lanes.ts';
import { withDebugHeaders } from './debug-headers.ts';
import type { Exchange } from './exchange.ts';
import type { Forwarder } from './forwarder.ts';
import type { FrontCounters } from './front-counters.ts';
import type { FrontLimits } from './limits.ts';
import { refusalText } from './refusal.ts';

export interface DeliverOptions extends NeedleSendOptions {
  /** An observer wants to know how long the corridor took. */
  readonly isTimed: boolean;
}

export function deliver(
  exchange: Exchange,
  outcome: NeedleOutcome,
  options: DeliverOptions,
  forwarder: Forwarder,
): void {
  if (options.isTimed) exchange.decidedMs = exchange.durationMs;
  switch (outcome.kind) {
    case 'answer':
      sendNeedle(exchange, outcome, options);
      return;
    case 'error':
      exchange.refuse(outcome.status, outcome.reason, refusalText(outcome.reason));
      return;
    case 'passthrough':
      exchange.decide({ outcome: 'passthrough', reason: outcome.reason, transport: 'none' });
      if (exchange.over) outcome.settled?.(false);
      else forwarder.forward(exchange, outcome);
  }
}

interface Load {
  readonly lanes: Lanes | undefined;
  readonly limits: FrontLimits;
  readonly counters: Readonly<FrontCounters>;
  readonly route: NeedleRoute;
}

/** Decides about a request when too much is in hand already; undefined: the corridor decides. */
export function overload(
  { method, target }: RequestHead,
  { lanes, limits, counters, route }: Load,
): NeedleOutcome | undefined {
  if (counters.requestsInFlight > limits.requestsInFlight * 2) {
    return { kind: 'error', status: 503, reason: 'overload' };
  }
  // Requests that are no reads are forwarded in any case, and the corridor must see them.
  if (method !== 'GET' && method !== 'HEAD') return undefined;
  const tooMany = counters.requestsInFlight > limits.requestsInFlight;
  const inLanes = lanes?.bytesInFlight ?? 0;
  const bytesInFlight = counters.bytesInFlight + inLanes + (route.decodingBytes ?? 0);
  if (!tooMany && bytesInFlight <= limits.bytesInFlight) return undefined;
  return { kind: 'passthrough', reason: 'overload', upstreamUrl: route.upstreamFor(target) };
}

type FlatAnswer = NonNullable<NeedleAnswer['answer']['flat']>;
type NeedleAnswer = Extract<NeedleOutcome, { kind: 'answer' }>;

interface NeedleSendOptions {
  readonly limits: FrontLimits;
  readonly counters: FrontCounters;
  readonly pace: AnswerPace;
  /** Bodies up to its `bodyBytesMax` are copied. */
  readonly smallAnswers: OutputChunks;
}

/** Up to this, copying costs less than a second buffer in the write: docs/measurements/copying.md. */
export const copiedBytesMax = 16_384;

/**
 * Sends a needle's answer: small ones in one write from a copy, larger ones from the lease, in one write with the head or
 * slice by slice. The lease is released once: when its last byte has left, or when the socket is closed, never while a
 * write is pending.
 */
function sendNeedle(exchange: Exchange, outcome: NeedleAnswer, options: NeedleSendOptions): void {
  const { answer } = outcome;
  exchange.sessionId = outcome.sessionId;
  exchange.decide({ outcome: outcome.source, reason: '', transport: outcome.transport });
  if (exchange.over) {
    outcome.release();
    return;
  }
  const flat =
    answer.flat !== undefined && !exchange.debugHeaders
      ? answer.flat
      : new JoinedAnswer(headOf(exchange, outcome), answer.body);
  if (answer.bodyBytes <= options.smallAnswers.bodyBytesMax) {
    sendCopied(exchange, outcome, flat, options);
    return;
  }
  const [body] = answer.body;
  const isWhole = answer.body.length === 1 && answer.bodyBytes <= exchange.pace.bytes;
  if (isWhole) sendWhole(exchange, outcome, flat, body as Buffer, options);
  else new NeedleSend(exchange, outcome, options).begin(flat);
}

function headOf(exchange: Exchange, outcome: NeedleAnswer): string {
  const { head } = outcome.answer;
  if (!exchange.debugHeaders) return head;
  const { source, cacheStatus } = outcome;
  return withDebugHeaders(head, { source, cacheStatus, durationMs: exchange.durationMs });
}

/** In one write, of memory that is used again. */
function sendCopied(
  exchange: Exchange,
  outcome: NeedleAnswer,
  flat: FlatAnswer,
  { smallAnswers }: NeedleSendOptions,
): void {
  const bytes = flat.headBytes + outcome.answer.bodyBytes;
  const chunk = smallAnswers.take(bytes);
  const target = chunk?.view(bytes) ?? Buffer.allocUnsafe(bytes);
  flat.copyTo(target);
  outcome.release();
  const hasLeft = exchange.finishWith(target, outcome.answer.bodyBytes, outcome.close);
  if (hasLeft && chunk !== undefined) smallAnswers.giveBack(chunk);
}

/** In one write of two pieces. */
function sendWhole(
  exchange: Exchange,
  outcome: NeedleAnswer,
  flat: FlatAnswer,
  body: Buffer,
  { counters, smallAnswers }: NeedleSendOptions,
): void {
  const { pace } = exchange;
  const chunk = smallAnswers.take(flat.headBytes);
  const head = chunk?.view(flat.headBytes) ?? Buffer.allocUnsafe(flat.headBytes);
  flat.copyHeadTo(head);
  const writtenAtMs = performance.now();
  const flushed = (): void => {
    counters.bytesInFlight -= body.length;
    pace.left(performance.now() - writtenAtMs);
    outcome.release();
  };
  counters.bytesInFlight += body.length;
  const hasLeft = exchange.finishWithBoth(head, body, outcome.close, flushed);
  if (hasLeft && chunk !== undefined) smallAnswers.giveBack(chunk);
}

class JoinedAnswer implements FlatAnswer {
  readonly #head: string;
  readonly #body: readonly Buffer[];

  constructor(head: string, body: readonly Buffer[]) {
    this.#head = head;
    this.#body = body;
  }

  get headBytes(): number {
    return this.#head.length;
  }

  copyHeadTo(target: Buffer): void {
    target.write(this.#head, 0, 'latin1');
  }

  copyTo(target: Buffer): void {
    this.copyHeadTo(target);
    let at = this.headBytes;
    for (const part of this.#body) at += part.copy(target, at);
  }
}

class NeedleSend {
  readonly #exchange: Exchange;
  readonly #outcome: NeedleAnswer;
  readonly #options: NeedleSendOptions;
  #parts: readonly Buffer[];
  #part = 0;
  #offset = 0;
  #leftBytes: number;
  #released = false;
  #copiedBytes = 0;
  #slicesInFlight = 0;
  #writtenAtMs = 0;
  /** That are written and not flushed. */
  #writtenBytes = 0;

  constructor(exchange: Exchange, outcome: NeedleAnswer, options: NeedleSendOptions) {
    this.#exchange = exchange;
    this.#outcome = outcome;
    this.#options = options;
    this.#parts = outcome.answer.body;
    this.#leftBytes = outcome.answer.bodyBytes;
  }

  begin(flat: FlatAnswer): void {
    const { bodyBytes } = this.#outcome.answer;
    const head = Buffer.allocUnsafe(flat.headBytes);
    flat.copyHeadTo(head);
    this.#options.counters.bytesInFlight += bodyBytes;
    this.#exchange.onGone = () => this.#end();
    this.#exchange.start(head, { kind: 'length', bytes: bodyBytes }, this.#outcome.close);
    this.#pump();
  }

  #pump(): void {
    while (this.#leftBytes > 0 && !this.#exchange.over) {
      const part = this.#parts[this.#part] as Buffer;
      const slice = part.subarray(this.#offset, this.#offset + this.#exchange.pace.bytes);
      this.#offset += slice.length;
      this.#leftBytes -= slice.length;
      if (this.#offset === part.length) {
        this.#part += 1;
        this.#offset = 0;
      }
      this.#slicesInFlight += 1;
      this.#writtenAtMs = performance.now();
      this.#writtenBytes += slice.length;
      if (!this.#exchange.write(slice, () => this.#flushed())) break;
    }
    if (this.#leftBytes === 0) this.#exchange.finish([], true);
  }

  #flushed(): void {
    this.#slicesInFlight -= 1;
    if (this.#slicesInFlight > 0) return;
    if (this.#leftBytes === 0 || this.#exchange.over) {
      this.#end();
      return;
    }
    const tookMs = performance.now() - this.#writtenAtMs;
    if (this.#exchange.pace.left(tookMs)) this.#spareLease();
    const bytes = this.#writtenBytes;
    this.#writtenBytes = 0;
    if (this.#options.pace.allows(bytes, 0, () => this.#pump())) this.#pump();
  }

  /** A slow client's rest is copied, so that the slab serves others. */
  #spareLease(): void {
    const { limits, counters } = this.#options;
    if (this.#released || this.#leftBytes > limits.connectionBytes) return;
    if (counters.bytesCopied + this.#leftBytes > limits.bytesInFlight) return;
    this.#copiedBytes = this.#leftBytes;
    counters.bytesCopied += this.#copiedBytes;
    const rest: Buffer[] = [];
    for (let i = this.#part; i < this.#parts.length; i += 1) {
      const part = this.#parts[i] as Buffer;
      rest.push(Buffer.from(i === this.#part ? part.subarray(this.#offset) : part));
    }
    this.#parts = rest;
    this.#part = 0;
    this.#offset = 0;
    this.#release();
  }

  /** All of it has left, or never will. */
  #end(): void {
    this.#options.counters.bytesCopied -= this.#copiedBytes;
    this.#copiedBytes = 0;
    this.#release();
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#options.counters.bytesInFlight -= this.#outcome.answer.bodyBytes;
    this.#outcome.release();
  }
}

/** Heads are up to a few KiB. */
const headBytesMax = 4096;

class OutputChunk {
  readonly #bytes: Buffer;
  /** Most answers are as long as the one before. */
  #view: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = bytes;
  }

  /** The chunk's first bytes; at most as many as were asked for. */
  view(bytes: number): Buffer {
    if (this.#view.length !== bytes) this.#view = this.#bytes.subarray(0, bytes);
    return this.#view;
  }
}

/**
 * Memory for small answers that leave in one write: used again and again, so that no answer costs an allocation. The
 * kernel takes nearly every one at once; a chunk that it did not take is given up to the socket, and a new one made.
 */
export class OutputChunks {
  /** Longer bodies are not meant to be copied here. */
  readonly bodyBytesMax: number;
  readonly #chunkBytes: number;
  readonly #idle: OutputChunk[] = [];

  constructor(bodyBytesMax: number) {
    this.bodyBytesMax = bodyBytesMax;
    this.#chunkBytes = bodyBytesMax + headBytesMax;
  }

  /** undefined: it would have to be larger. */
  take(bytes: number): OutputChunk | undefined {
    if (bytes > this.#chunkBytes) return undefined;
    return this.#idle.pop() ?? new OutputChunk(Buffer.allocUnsafeSlow(this.#chunkBytes));
  }

  /** Takes back a chunk whose bytes have left and are not held. */
  giveBack(chunk: OutputChunk): void {
    this.#idle.push(chunk);
  }
}
