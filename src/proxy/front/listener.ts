/** Accepts client connections, bounds their number, closes what stands still, and drains at the end. */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { AddressCounts } from '../../connections/address-counts.ts';
import { backlog } from '../../connections/connection-bounds.ts';
import { ClientConnection } from './client-connection.ts';
import type { ConnectionHost } from './connection-host.ts';
import { restingPlaces, restMsMin } from './resting-places.ts';

export type ListenAddress =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

const refusal =
  'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 21\r\n' +
  'Retry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n';

/** How many may have to make place from one sweep to the next. */
const evictableMax = 256;
/** Those that made place and still send may be this part of `limits.connections`, and a few at least. */
const lingeringShare = 1 / 8;
const lingeringMin = 16;

/** The address with most connections, and its oldest; the one that came first is the last. */
interface OfMost {
  readonly address: string;
  readonly connections: ClientConnection[];
}

export class Listener {
  readonly #host: ConnectionHost;
  readonly #server: Server;
  readonly #connections = new Set<ClientConnection>();
  readonly #onAcceptError: (error: Error) => void;
  #sweeper: NodeJS.Timeout | undefined;
  readonly #counts = new AddressCounts();
  /** Chosen for the first newcomer without a place since the sweep came by; the next one to go comes last. */
  #evictable: ClientConnection[] | undefined;
  /** Chosen likewise, of the address that had most when none rested. */
  #ofMost: OfMost | undefined;
  /** They made place, and their descriptors are open; the oldest first. */
  readonly #lingering = new Set<ClientConnection>();

  /** @param onAcceptError a connection could not be accepted: out of descriptors, mostly */
  constructor(host: ConnectionHost, onAcceptError: (error: Error) => void) {
    this.#host = host;
    this.#onAcceptError = onAcceptError;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket),
    );
  }

  /** Rejects where the address cannot be had. */
  async listen(address: ListenAddress): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...address, backlog }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', this.#acceptFailed);
        resolve();
      });
    });
  }

  /** A path where it listens on one, else the bound address. */
  address(): AddressInfo | string {
    return this.#server.address() as AddressInfo | string;
  }

  /** Accepts no more, lets requests in hand finish for at most `drainMs`, then destroys. */
  async close(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.drain();
    const deadline = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, drainMs);
    await closed;
    clearTimeout(deadline);
    clearInterval(this.#sweeper);
  }

  readonly #acceptFailed = (error: Error): void => {
    this.#host.counters.acceptFailures += 1;
    this.#onAcceptError(error);
  };

  #accept(socket: Socket): void {
    const { counters, limits } = this.#host;
    const { remoteAddress } = socket;
    if (counters.connections >= limits.connections && !this.#makePlace(remoteAddress)) {
      counters.connectionsRefused += 1;
      socket.on('error', () => undefined);
      socket.end(refusal, 'latin1', () => socket.destroy());
      return;
    }
    counters.connections += 1;
    counters.connectionsAccepted += 1;
    const connection = new ClientConnection(socket, this.#host);
    this.#connections.add(connection);
    this.#counts.add(remoteAddress);
    this.#sweeper ??= this.#newSweeper();
    socket.on('close', () => {
      counters.connections -= 1;
      this.#connections.delete(connection);
      this.#counts.remove(remoteAddress);
      this.#lingering.delete(connection);
      if (this.#connections.size > 0) return;
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    });
  }

  /** A connection that rests keeps no newcomer out. If none does, the address with most loses one to an address with fewer. */
  #makePlace(address: string | undefined): boolean {
    const isMade = this.#evictResting() || this.#evictOfMost(address);
    if (isMade) this.#host.counters.connectionsEvicted += 1;
    return isMade;
  }

  #evictResting(): boolean {
    const nowMs = performance.now();
    this.#evictable ??= restingPlaces(this.#connections, evictableMax, nowMs);
    let resting = this.#evictable.pop();
    while (resting !== undefined && resting.restingMs(nowMs) < restMsMin) {
      resting = this.#evictable.pop();
    }
    if (resting === undefined) return false;
    // The kernel may hold bytes of its last answer: it goes as at the end of the proxy, and may linger beside the newcomer.
    resting.yieldPlace();
    this.#linger(resting);
    return true;
  }

  /** Else one client with a request under way on every place would keep all others out. */
  #evictOfMost(address: string | undefined): boolean {
    this.#ofMost ??= this.#oldestOfMost();
    if (this.#ofMost === undefined || !this.#counts.mayTake(address, this.#ofMost.address)) {
      return false;
    }
    let oldest = this.#ofMost.connections.pop();
    while (oldest?.socket.destroyed === true) oldest = this.#ofMost.connections.pop();
    oldest?.destroy();
    return oldest !== undefined;
  }

  #oldestOfMost(): OfMost | undefined {
    const address = this.#counts.most();
    if (address === undefined) return undefined;
    const connections: ClientConnection[] = [];
    for (const connection of this.#connections) {
      if (connection.socket.remoteAddress === address) connections.push(connection);
      if (connections.length === evictableMax) break;
    }
    return { address, connections: connections.reverse() };
  }

  /** Each holds a descriptor beyond those of `limits.connections`. */
  #linger(connection: ClientConnection): void {
    this.#lingering.add(connection);
    const most = Math.max(lingeringMin, this.#host.limits.connections * lingeringShare);
    for (const oldest of this.#lingering) {
      if (this.#lingering.size <= most) return;
      this.#lingering.delete(oldest);
      oldest.destroy();
    }
  }

  /** Only while there are connections: an idle proxy is not woken. */
  #newSweeper(): NodeJS.Timeout {
    const { limits } = this.#host;
    const everyMs = Math.min(limits.headTimeoutMs, limits.idleTimeoutMs, limits.bodyTimeoutMs) / 4;
    return setInterval(() => this.#sweep(), Math.max(20, Math.min(250, everyMs))).unref();
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.sweep(nowMs);
    this.#evictable = undefined;
    this.#ofMost = undefined;
  }
}
