/**
 * The place of a client connection in a lane, while it has nothing in hand. Node's socket stays open meanwhile, and reads
 * nothing: whatever the lane does not answer comes back with all bytes that it has read.
 */
import type { Socket } from 'node:net';
import { firstHeader } from '../../http1/request-head.ts';
import type { Freshness, NeedleOutcome, RecallableHead } from '../../needle/needle-outcome.ts';
import type { ClientEnd } from '../../needle/request-record.ts';
import type { LaneReason } from '../../rdma/native-lane-types.ts';
import type { LaneClient, LanePlace, Lanes } from '../lanes/lanes.ts';
import type { Exchange } from './exchange.ts';
import { reset } from './reset.ts';
import { startReading, stopReading } from './socket-reading.ts';

/** The connection, as its seat sees it. */
export interface LaneSeatOwner {
  readonly socket: Socket;
  readonly client: ClientEnd;
  /** The connection may be read and written again. */
  leftLane(bytes: Buffer): void;
  destroy(): void;
}

/** Stays in a lane that answered none, one after the other; then it takes a head that has come before, from any client. */
const fruitlessMax = 2;

export class LaneSeat implements LaneClient {
  readonly #lanes: Lanes;
  readonly #owner: LaneSeatOwner;
  #place: LanePlace | undefined;
  #wish: 'stay' | 'close' | 'destroy' = 'stay';
  /** How an answer that it asked for is published: it will ask again. undefined: it gained nothing by that lately. */
  #freshness: Freshness | undefined;
  #fruitless = 0;

  constructor(lanes: Lanes, owner: LaneSeatOwner) {
    this.#lanes = lanes;
    this.#owner = owner;
  }

  /** The connection was asked back to end: no further request is begun. */
  get isYielding(): boolean {
    return this.#wish === 'close';
  }

  get restingMs(): number {
    return this.#place === undefined ? 0 : this.#lanes.restingMs(this.#place);
  }

  /** The corridor's outcome, of which nothing was sent yet. */
  learn(exchange: Exchange, outcome: NeedleOutcome): void {
    if (outcome.kind !== 'answer' || outcome.freshness === undefined) return;
    const { freshness } = outcome;
    if (freshness === 'asked') this.#lanes.askers.add(this);
    else this.#lanes.askers.delete(this);
    const head = this.#lanes.mayTake(freshness) ? recallable(exchange) : undefined;
    const published = head && outcome.publish?.(head);
    if (published === undefined) return;
    // A client whose every head is another one would only go there and back.
    if (published === 'known') this.#fruitless = 0;
    this.#freshness = this.#fruitless < fruitlessMax ? freshness : undefined;
  }

  /** A connection with nothing in hand: gives it to a lane, if that is worth it. True: it is not to be touched now. */
  take(): boolean {
    const { socket, client } = this.#owner;
    const isAtRest = socket.writableLength === 0 && socket.readableLength === 0;
    const isFree = !client.isOwn && this.#lanes.mayTake(this.#freshness);
    if (!isFree || !isAtRest || socket.isPaused()) return false;
    const fd = stopReading(socket);
    if (fd === undefined) return false;
    this.#place = this.#lanes.give(this, fd, client.address);
    if (this.#place === undefined) startReading(socket);
    return this.#place !== undefined;
  }

  /** Asks for the connection back: to destroy it at once, else as soon as it has nothing in hand. */
  askBack(wish: 'close' | 'destroy'): void {
    if (this.#wish !== 'destroy') this.#wish = wish;
    if (this.#place !== undefined) this.#lanes.askBack(this.#place, wish === 'destroy');
  }

  /** The connection is closed. */
  end(): void {
    this.#lanes.askers.delete(this);
  }

  cameBack(reason: LaneReason, bytes: Buffer, answered: number): void {
    this.#place = undefined;
    this.#fruitless = answered > 0 ? 0 : this.#fruitless + 1;
    if (this.#fruitless >= fruitlessMax) this.#freshness = undefined;
    if (reason === 'broken') {
      reset(this.#owner.socket);
      return;
    }
    startReading(this.#owner.socket);
    const isEnd = reason === 'idle' || this.#wish === 'destroy';
    this.#owner.leftLane(isEnd ? noBytes : bytes);
    if (isEnd) this.#owner.destroy();
  }
}

const noBytes = Buffer.alloc(0);
const idName = '\r\nX-Amz-Request-Id: ';
const idChars = /^[0-9A-Za-z-]{0,64}$/;

/**
 * undefined: its bytes do not tell all of the request, or the answer says more than they ask for. The volume server ignores
 * the client's id of the request.
 */
export function recallable({
  request,
  headBytes,
  debugHeaders,
  hasBody,
}: Pick<Exchange, 'request' | 'headBytes' | 'debugHeaders' | 'hasBody'>):
  | RecallableHead
  | undefined {
  const { block, close, body, head } = request;
  const isPlain = body.kind === 'none' && !hasBody && !close && !block.expectsContinue;
  if (!isPlain || block.http10 || debugHeaders) return undefined;
  const userAgent = firstHeader(head, 'user-agent') ?? '';
  const at = headBytes.indexOf(idName, 0, 'latin1');
  const holeAt = at + idName.length;
  const holeEnd = at < 0 ? -1 : headBytes.indexOf('\r', holeAt, 'latin1');
  const isHole = at >= 0 && idChars.test(headBytes.toString('latin1', holeAt, holeEnd));
  if (!isHole) return { bytes: headBytes, holeAt: -1, holeEnd: -1, userAgent };
  return { bytes: headBytes, holeAt, holeEnd, userAgent };
}
