/**
 * A connection to a volume server for Node's HTTP client. What comes is judged before Node's parser gets it; bytes that
 * no request waits for end it. Node takes microseconds for each chunk, and all that it is given at once: very short
 * ones are handed on in small pieces, as turns of the event loop have time for them.
 */
import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import { type NetConnectOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { AnswerPace } from '../../connections/answer-pace.ts';
import { Turn, Turnstile } from '../../connections/turnstile.ts';
import type { JudgedAnswer } from './judged-answer.ts';

/** Some 170 chunks of one byte. */
const pieceBytes = 1_024;
/** Pieces are handed on for so long in a turn. */
const piecesBudgetMs = 5;

export class JudgedSocket extends Socket {
  /** The answer that is waited for. */
  answer: JudgedAnswer | undefined;
  readonly #turn: Turn;
  readonly #pace: AnswerPace;
  /** Other answers have their turn. */
  #isPaced = false;
  #isReadWanted = false;
  /** Judged, and not handed on yet; nothing more is read meanwhile. */
  #held: Buffer | undefined;
  #isHandingOn = false;

  constructor(options: SocketConstructorOpts, turnstile: Turnstile, pace: AnswerPace) {
    super(options);
    this.#pace = pace;
    this.#turn = new Turn(turnstile, () => this.#handOn());
    this.once('close', () => this.#turn.end());
  }

  override push(bytes: Buffer | null): boolean {
    if (bytes === null) return super.push(null);
    if (this.answer === undefined) {
      this.destroy();
      return false;
    }
    const judged = this.answer.judge(bytes);
    if (judged === undefined || judged.bytes.length === 0) return !this.destroyed;
    if (!judged.isShortChunked) {
      this.#isPaced = !this.#pace.allows(bytes.length, 0, this.#endPace);
      return super.push(judged.bytes) && !this.#isPaced;
    }
    this.#held = judged.bytes;
    this.#handOn();
    return this.#held === undefined;
  }

  readonly #endPace = (): void => {
    this.#isPaced = false;
    if (this.#isReadWanted && !this.destroyed) this._read(0);
  };

  override _read(size: number): void {
    this.#isReadWanted = this.#isPaced;
    if (this.#isPaced) return;
    if (this.#held === undefined) super._read(size);
    // Not now: Node's parser may be inside the piece before, and cannot be entered twice.
    else if (!this.#isHandingOn && !this.#turn.isWaiting) process.nextTick(() => this.#handOn());
  }

  #handOn(): void {
    if (this.#isHandingOn || this.#turn.isWaiting) return;
    this.#isHandingOn = true;
    let isHungry = true;
    while (isHungry && this.#held !== undefined && !this.destroyed && this.#turn.enter()) {
      const piece = this.#held.subarray(0, pieceBytes);
      const rest = this.#held.subarray(piece.length);
      this.#held = rest.length > 0 ? rest : undefined;
      isHungry = super.push(piece);
    }
    this.#turn.leave();
    this.#isHandingOn = false;
    if (isHungry && this.#held === undefined && !this.destroyed) super._read(0);
  }
}

export class JudgingAgent extends Agent {
  readonly #turnstile = new Turnstile(piecesBudgetMs);
  readonly #pace: AnswerPace;

  constructor(options: AgentOptions, pace: AnswerPace) {
    super(options);
    this.#pace = pace;
    this.#letRest();
  }

  /**
   * Node gives a free connection to a request that waits at once. Here it is polled once more before: what came behind
   * its answer ends it.
   */
  #letRest(): void {
    const listeners = this.listeners('free');
    this.removeAllListeners('free');
    this.on('free', (socket: Socket, options: object) => {
      const goOn = (): void => {
        if (socket.destroyed) return;
        for (const each of listeners) each.call(this, socket, options);
      };
      setImmediate(() => setImmediate(goOn));
    });
  }

  /** Works like `connect` of node:net. */
  override createConnection(options: ClientRequestArgs): Socket {
    const socket = new JudgedSocket(options as SocketConstructorOpts, this.#turnstile, this.#pace);
    if (options.timeout !== undefined) socket.setTimeout(options.timeout);
    return socket.connect(options as NetConnectOpts);
  }
}
