/**
 * Bounds a listener's connections, so that a peer that holds many cannot keep others out. A newcomer takes the place of
 * the connection that was quiet longest; where all are busy it takes one of the address that has most, and there may be a
 * reserve that only probes use: /livez decides whether a process lives.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AddressCounts } from './address-counts.ts';
import { PacedConnection } from './paced-connection.ts';
import type { Turnstile } from './turnstile.ts';

export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** A unix socket has no address. */
  readonly connectionsPerAddressMax: number;
  /** Beyond `connectionsMax`, for probes; 0: there is no reserve. */
  readonly probeConnectionsMax: number;
  /**
   * Requests behind them wait. Node begins all requests of a pipeline at once: a thousand /metrics in one packet took the role
   * seconds, and where their connection ends, each of them costs an error with a stack.
   */
  readonly requestsPerConnectionMax: number;
}

interface Pace {
  /** Hands the clients' bytes to the server: see PacedConnection. */
  readonly turnstile: Turnstile;
  /** From an answer to the first byte of the next request. */
  readonly restMsMax: number;
  /** From then on, until the request is whole. */
  readonly requestMsMax: number;
}

/** A connection with so much of its answers unread has its next request later. */
const unsentBytesMax = 4 * 2 ** 20;
/** For a connection's first request to come. */
const graceMs = 1_000;
/** For the bytes to be read that came together with a connection: some turns of the event loop. */
const momentMs = 50;
const sweepEveryMs = 1_000;

interface Place {
  readonly connection: PacedConnection;
  readonly address: string | undefined;
  readonly isReserve: boolean;
  readonly cameMs: number;
  /** It has been in `#resting` since then. */
  restsSinceMs: number;
  /** Without an answer, whether their bodies have come or not. */
  requestsBegun: number;
  /** Whole, and without an answer. */
  requestsInHand: number;
  /** Begun last. */
  lastRequest: IncomingMessage | undefined;
}

/** For `listen`: beyond it the kernel drops a newcomer's packet, which comes again after a second. */
export const backlog: number = 4_096;

export class ConnectionBounds {
  readonly #places = new Map<Duplex, Place>();
  /** Beside the reserve. */
  readonly #counts = new AddressCounts();
  /** Connections that have not sent a whole request yet; the oldest first. */
  readonly #silent = new Set<Duplex>();
  /** Connections that have sent one, and have their answers; the one that is quiet longest first. */
  readonly #resting = new Set<Duplex>();

  readonly #limits: ConnectionLimits;
  #reserved = 0;
  #refused = 0;
  #evicted = 0;

  constructor(server: Server, limits: ConnectionLimits, pace: Pace) {
    this.#limits = limits;
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      const connection = new PacedConnection(socket, pace.turnstile);
      if (!this.#came(connection)) return;
      for (const each of listeners) each.call(server, connection);
    });
    const sweeper = setInterval(() => this.#sweep(pace), sweepEveryMs).unref();
    server.once('close', () => clearInterval(sweeper));
    server.on('request', (request, response) => this.#asked(request, response));
    // Node would answer, and leave the connection open, without an event that counts the request.
    server.on('checkExpectation', (request, response) => {
      this.#asked(request, response);
      response.writeHead(417, { Connection: 'close' }).end();
    });
  }

  get open(): number {
    return this.#places.size;
  }

  /** Connections that found no place. */
  get refused(): number {
    return this.#refused;
  }

  /** Connections that made place for others. */
  get evicted(): number {
    return this.#evicted;
  }

  /** For probes alone: everything else is refused on it. */
  isReserve(socket: Duplex): boolean {
    return this.#places.get(socket)?.isReserve === true;
  }

  /** False: there is no place for it. */
  #came(socket: PacedConnection): boolean {
    const address = socket.remoteAddress;
    const isReserve = !(this.#makePlaceOf(address) && this.#makePlace(address));
    if (isReserve && !this.#makeReserve()) {
      this.#refused += 1;
      socket.destroy();
      return false;
    }
    const place: Place = {
      connection: socket,
      address,
      isReserve,
      cameMs: performance.now(),
      restsSinceMs: 0,
      requestsBegun: 0,
      requestsInHand: 0,
      lastRequest: undefined,
    };
    this.#places.set(socket, place);
    socket.isHeld = () => this.#isHeld(place);
    socket.isAnswering = () => place.requestsBegun > 0;
    socket.on('drain', () => socket.goOn());
    if (isReserve) this.#reserved += 1;
    else this.#counts.add(address);
    this.#silent.add(socket);
    socket.once('close', () => this.#leave(socket));
    return true;
  }

  /** The body of the last request is read first; one request more waits for its own. */
  #isHeld({ connection, requestsBegun, lastRequest }: Place): boolean {
    const { requestsPerConnectionMax } = this.#limits;
    if (connection.writableLength > unsentBytesMax) return true;
    if (requestsBegun > requestsPerConnectionMax) return true;
    return requestsBegun === requestsPerConnectionMax && lastRequest?.complete === true;
  }

  /** Blank lines between requests are activity to Node, and no request. */
  #sweep({ restMsMax, requestMsMax }: Pace): void {
    const nowMs = performance.now();
    for (const socket of this.#resting) {
      const { connection, restsSinceMs } = this.#places.get(socket) as Place;
      const restMs = nowMs - restsSinceMs;
      if (restMs <= restMsMax) return;
      if (connection.hasBegun && restMs <= restMsMax + requestMsMax) continue;
      this.#leave(socket);
      socket.destroy();
    }
  }

  #makePlaceOf(address: string | undefined): boolean {
    if (address === undefined) return true;
    if (this.#counts.of(address) < this.#limits.connectionsPerAddressMax) return true;
    return this.#evict((place) => place.address === address && !place.isReserve);
  }

  #makePlace(address: string | undefined): boolean {
    if (this.#places.size - this.#reserved < this.#limits.connectionsMax) return true;
    return this.#evict((place) => !place.isReserve) || this.#evictOfMost(address);
  }

  /**
   * A probe asks at once. Where the reserve is full, its silent connections go two turns of the event loop later: by then
   * the server has read what came together with a connection.
   */
  #makeReserve(): boolean {
    if (this.#reserved < this.#limits.probeConnectionsMax) return true;
    if (![...this.#silent].some((socket) => this.isReserve(socket))) return false;
    setImmediate(() => setImmediate(() => this.#trimReserve()));
    return true;
  }

  #trimReserve(): void {
    const isReserve = (place: Place): boolean => place.isReserve;
    // A place of it is for a moment: where none is quiet, one that has asked goes, too.
    while (this.#reserved > this.#limits.probeConnectionsMax) {
      if (!this.#evict(isReserve) && !this.#evict(isReserve, this.#silent)) return;
    }
  }

  /** All are busy: the address with most connections gives the oldest of them to an address that has fewer. */
  #evictOfMost(address: string | undefined): boolean {
    const most = this.#counts.most();
    if (most === undefined || !this.#counts.mayTake(address, most)) return false;
    for (const [socket, place] of this.#places) {
      if (place.address === most && !place.isReserve) return this.#end(socket);
    }
    return false;
  }

  /**
   * A newcomer has its moment to ask: before it those that rest go, though they have asked once. One that has asked is not quiet:
   * its request may wait for a turn of the event loop.
   */
  #evict(
    isChosen: (place: Place) => boolean,
    candidates: Iterable<Duplex> = this.#quiet(),
  ): boolean {
    for (const socket of candidates) {
      const place = this.#places.get(socket);
      if (place !== undefined && isChosen(place)) return this.#end(socket);
    }
    return false;
  }

  *#quiet(): Generator<Duplex> {
    const nowMs = performance.now();
    yield* this.#silentSince(nowMs - graceMs);
    yield* this.#resting;
    // Without a reserve a newcomer that found no place would be refused.
    if (this.#limits.probeConnectionsMax === 0) {
      yield* this.#silent;
      return;
    }
    for (const socket of this.#silentSince(nowMs - momentMs)) {
      if (this.#places.get(socket)?.connection.hasAsked === false) yield socket;
    }
  }

  *#silentSince(ms: number): Generator<Duplex> {
    for (const socket of this.#silent) {
      if ((this.#places.get(socket)?.cameMs ?? 0) >= ms) return;
      yield socket;
    }
  }

  #end(socket: Duplex): true {
    this.#evicted += 1;
    this.#leave(socket);
    socket.destroy();
    return true;
  }

  #asked(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const place = this.#places.get(socket);
    if (place === undefined) return;
    // Counted here: a handler does its work before a body that no handler reads has come.
    place.requestsBegun += 1;
    place.lastRequest = request;
    let isInHand = false;
    let isAnswered = false;
    const whole = (): void => {
      // An answer need not wait for its request's body.
      if (isAnswered) {
        this.#rest(socket, place);
        return;
      }
      isInHand = true;
      place.requestsInHand += 1;
      this.#silent.delete(socket);
      this.#resting.delete(socket);
    };
    if (hasBody(request)) request.once('end', whole);
    else whole();
    response.once('close', () => {
      isAnswered = true;
      place.requestsBegun -= 1;
      place.connection.goOn();
      if (!isInHand) return;
      place.requestsInHand -= 1;
      this.#rest(socket, place);
    });
  }

  #rest(socket: Duplex, place: Place): void {
    if (place.requestsInHand > 0 || !this.#places.has(socket)) return;
    this.#silent.delete(socket);
    this.#resting.delete(socket);
    this.#resting.add(socket);
    place.restsSinceMs = performance.now();
    place.connection.hasBegun = false;
  }

  #leave(socket: Duplex): void {
    const place = this.#places.get(socket);
    if (place === undefined) return;
    this.#places.delete(socket);
    this.#silent.delete(socket);
    this.#resting.delete(socket);
    if (place.isReserve) this.#reserved -= 1;
    else this.#counts.remove(place.address);
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
