/**
 * Bounds the admin listener's connections, so that whoever holds them cannot keep probes out: /livez decides whether a
 * process lives. A newcomer takes the place of the connection that was quiet longest; where all are busy there is a
 * reserve that only probes may use.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const connectionsMax = 256;
/** Of one address; a unix socket has none. */
const perAddressMax = 64;
/** Beyond `connectionsMax`, for probes. */
const reserve = 16;
/** Node begins all requests of a pipeline at once: a thousand /metrics in one packet took the role seconds. */
const requestsInHandMax = 16;
/** For a connection's first request to come. */
const graceMs = 1_000;

interface Place {
  readonly address: string | undefined;
  readonly isReserve: boolean;
  readonly cameMs: number;
  requestsInHand: number;
}

export class AdminConnections {
  readonly #places = new Map<Socket, Place>();
  readonly #countOf = new Map<string, number>();
  /** They have not sent a whole request yet; the oldest first. */
  readonly #silent = new Set<Socket>();
  /** They have, and have their answers; the one that is quiet longest first. */
  readonly #resting = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket) => this.#came(socket));
    server.on('request', (request, response) => this.#asked(request, response));
  }

  /** For probes alone: everything else is refused on it. */
  isReserve(socket: Socket): boolean {
    return this.#places.get(socket)?.isReserve === true;
  }

  #came(socket: Socket): void {
    const address = socket.remoteAddress;
    const isPlaceFree = this.#makePlaceOf(address) && this.#makePlace();
    if (!isPlaceFree && this.#places.size >= connectionsMax + reserve) {
      socket.destroy();
      return;
    }
    this.#places.set(socket, {
      address,
      isReserve: !isPlaceFree,
      cameMs: performance.now(),
      requestsInHand: 0,
    });
    if (address !== undefined) this.#countOf.set(address, this.#count(address) + 1);
    this.#silent.add(socket);
    socket.once('close', () => this.#leave(socket));
  }

  #makePlaceOf(address: string | undefined): boolean {
    if (address === undefined || this.#count(address) < perAddressMax) return true;
    return this.#evict((socket) => this.#places.get(socket)?.address === address);
  }

  #makePlace(): boolean {
    return this.#places.size < connectionsMax || this.#evict(() => true);
  }

  /** A newcomer has its moment to ask: before it those that rest go, though they have asked once. */
  #evict(isChosen: (socket: Socket) => boolean): boolean {
    const before = performance.now() - graceMs;
    const isOld = (socket: Socket): boolean => (this.#places.get(socket)?.cameMs ?? 0) < before;
    const quiet = [...this.#silent];
    for (const socket of [...quiet.filter(isOld), ...this.#resting, ...quiet]) {
      if (!isChosen(socket)) continue;
      this.#leave(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  #asked(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const place = this.#places.get(socket);
    if (place === undefined) return;
    let isInHand = false;
    const whole = (): void => {
      isInHand = true;
      place.requestsInHand += 1;
      if (place.requestsInHand > requestsInHandMax) socket.destroy();
      this.#silent.delete(socket);
      this.#resting.delete(socket);
    };
    if (hasBody(request)) request.once('end', whole);
    else whole();
    response.once('close', () => {
      if (!isInHand) return;
      place.requestsInHand -= 1;
      if (place.requestsInHand === 0 && this.#places.has(socket)) this.#resting.add(socket);
    });
  }

  #leave(socket: Socket): void {
    const place = this.#places.get(socket);
    if (place === undefined) return;
    this.#places.delete(socket);
    this.#silent.delete(socket);
    this.#resting.delete(socket);
    if (place.address === undefined) return;
    const count = this.#count(place.address) - 1;
    if (count === 0) this.#countOf.delete(place.address);
    else this.#countOf.set(place.address, count);
  }

  #count(address: string): number {
    return this.#countOf.get(address) ?? 0;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
