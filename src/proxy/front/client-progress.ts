/**
 * Tells a client that sends its bytes one by one from one that is slow. The sweep looks now and then and compares the
 * socket's counters, so that no byte costs anything; made for a connection when it owes bytes for the first time.
 */
import type { FrontLimits } from './limits.ts';

export type ProgressLimits = Pick<
  FrontLimits,
  'bodyTimeoutMs' | 'bodyBytesMin' | 'upstreamTimeoutMs'
>;

/** The counters of a socket that are looked at. */
export interface SocketProgress {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly writableLength: number;
  /** The volume server has not taken what came, so the client is not read. */
  isPaused(): boolean;
}

export class ClientProgress {
  readonly #socket: SocketProgress;
  readonly #limits: ProgressLimits;
  /** Since then fewer than `bodyBytesMin` came. */
  #sinceMs: number;
  #fromBytes: number;
  #receivedBytes: number;
  #sentBytes: number;
  /** When bytes of the client were seen last. */
  #receivedMs: number;
  /** When bytes were seen last, either way. */
  #movedMs: number;

  constructor(socket: SocketProgress, limits: ProgressLimits, nowMs: number) {
    this.#socket = socket;
    this.#limits = limits;
    this.#sinceMs = nowMs;
    this.#receivedMs = nowMs;
    this.#movedMs = nowMs;
    this.#fromBytes = socket.bytesRead;
    this.#receivedBytes = socket.bytesRead;
    this.#sentBytes = socket.bytesWritten - socket.writableLength;
  }

  /** True for a client that is late with bytes of a body. */
  isBodyLate(nowMs: number): boolean {
    if (this.#isEnough || this.#socket.isPaused()) this.#restart(nowMs);
    return nowMs - this.#sinceMs > this.#limits.bodyTimeoutMs;
  }

  /**
   * Judges a connection whose requests the proxy does not parse. The volume server may take its time to answer, so a
   * silent client is not late. A client that goes on sending little is late, and both sides are when nothing moves.
   */
  isPipeLate(nowMs: number): boolean {
    const { bytesRead, bytesWritten, writableLength } = this.#socket;
    const sentBytes = bytesWritten - writableLength;
    const isAnswered = sentBytes !== this.#sentBytes;
    if (bytesRead !== this.#receivedBytes) this.#receivedMs = nowMs;
    if (bytesRead !== this.#receivedBytes || isAnswered) this.#movedMs = nowMs;
    this.#receivedBytes = bytesRead;
    this.#sentBytes = sentBytes;
    if (isAnswered || this.#isEnough || this.#socket.isPaused()) this.#restart(nowMs);
    const isDripping = this.#receivedMs - this.#sinceMs > this.#limits.bodyTimeoutMs;
    return isDripping || nowMs - this.#movedMs > this.#limits.upstreamTimeoutMs;
  }

  get #isEnough(): boolean {
    return this.#socket.bytesRead - this.#fromBytes >= this.#limits.bodyBytesMin;
  }

  #restart(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#fromBytes = this.#socket.bytesRead;
  }
}
