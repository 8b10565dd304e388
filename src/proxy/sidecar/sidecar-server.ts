/**
 * The listener that `weed mount -rdma.sidecar=HOST:PORT` talks to: its own port, never the HTTP listener, where these
 * paths name needles.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { backlog, ConnectionBounds } from '../../connections/connection-bounds.ts';
import { Turnstile } from '../../connections/turnstile.ts';
import { Endpoints } from './endpoints.ts';
import { type ExchangeHost, SidecarExchange, type SidecarLoad } from './sidecar-exchange.ts';
import { SidecarLedger, type SidecarRecord } from './sidecar-ledger.ts';
import type { SidecarHost, SidecarOptions } from './sidecar-options.ts';
import type { SidecarStatus } from './sidecar-status.ts';

export interface RunningSidecar {
  /** host:port, as bound. */
  readonly address: string;
  status(): SidecarStatus;
  /** Stops listening, lets requests finish for at most `drainMs`, then destroys. Idempotent. */
  close(drainMs: number): Promise<void>;
}

const headBytesMax = 16 * 1024;
/** A mount has one. */
const requestsPerConnectionMax = 4;
/** The sidecar's part of a turn of the event loop. */
const turnMs = 5;
const failureEveryMs = 1_000;

/** Rejects where the address cannot be had or the temp folder cannot be used. */
export async function startSidecar(
  options: SidecarOptions,
  host: SidecarHost,
): Promise<RunningSidecar> {
  const sidecar = new SidecarServer(options, host);
  try {
    await sidecar.open();
  } catch (error) {
    await sidecar.close(0);
    throw error;
  }
  return sidecar;
}

class SidecarServer implements RunningSidecar {
  readonly #options: SidecarOptions;
  readonly #host: SidecarHost;
  readonly #server: Server;
  readonly #connections: ConnectionBounds;
  readonly #turnstile = new Turnstile(turnMs);
  readonly #ledger = new SidecarLedger();
  readonly #load: SidecarLoad = { requestsInFlight: 0, bytesInFlight: 0 };
  #exchanges: ExchangeHost | undefined;
  #address = '';
  #failureLoggedMs = Number.NEGATIVE_INFINITY;
  #failuresUnlogged = 0;
  #closing: Promise<void> | undefined;

  constructor(options: SidecarOptions, host: SidecarHost) {
    const { limits } = options;
    this.#options = options;
    this.#host = host;
    this.#server = createServer({
      maxHeaderSize: headBytesMax,
      headersTimeout: limits.headTimeoutMs,
      requestTimeout: limits.headTimeoutMs,
      keepAliveTimeout: limits.idleTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headTimeoutMs),
    });
    this.#server.timeout = limits.idleTimeoutMs;
    this.#connections = new ConnectionBounds(
      this.#server,
      {
        connectionsMax: limits.connectionsMax,
        connectionsPerAddressMax: limits.connectionsPerAddressMax,
        probeConnectionsMax: 0,
        requestsPerConnectionMax,
      },
      {
        turnstile: this.#turnstile,
        restMsMax: limits.idleTimeoutMs,
        requestMsMax: limits.headTimeoutMs,
      },
    );
    this.#server.on('request', (request, response) => this.#serve(request, response));
  }

  get address(): string {
    return this.#address;
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...this.#options.listen, backlog }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const { address, family, port } = this.#server.address() as AddressInfo;
    this.#address = family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
    this.#exchanges = {
      options: this.#options,
      endpoints: new Endpoints(this.#options, this.#host, () => this.status()),
      load: this.#load,
      observe: (record) => this.#observe(record),
      log: this.#host.log,
      isDraining: () => this.#closing !== undefined,
    };
  }

  status(): SidecarStatus {
    return {
      address: this.#address,
      isDraining: this.#closing !== undefined,
      connections: this.#connections.open,
      connectionsRefused: this.#connections.refused,
      connectionsEvicted: this.#connections.evicted,
      ...this.#load,
      requests: this.#ledger.series,
      needleBytes: { ...this.#ledger.needleBytes },
      temp: this.#exchanges?.endpoints.temp?.stats,
    };
  }

  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const timer = setTimeout(() => this.#server.closeAllConnections(), drainMs);
    await closed;
    clearTimeout(timer);
    this.#exchanges?.endpoints.close();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const exchanges = this.#exchanges;
    // The connection was closed for its pipeline: no client would read the answer.
    if (request.socket.destroyed) return;
    // Bound, and the folder for temp files is still being looked at.
    if (exchanges === undefined) {
      request.socket.destroy();
      return;
    }
    const exchange = new SidecarExchange(exchanges, request, response);
    this.#turnstile.do(() => void exchange.run());
  }

  #observe(record: SidecarRecord): void {
    this.#ledger.observe(record);
    if (record.outcome === 'error') this.#logFailure(record);
    this.#host.observe(record);
  }

  /** One line a second: a server that is down fails every read. */
  #logFailure({ path, reason, durationMs }: SidecarRecord): void {
    const nowMs = performance.now();
    if (nowMs - this.#failureLoggedMs < failureEveryMs) {
      this.#failuresUnlogged += 1;
      return;
    }
    const suppressed = this.#failuresUnlogged;
    const fields = {
      event: 'sidecar-error',
      path,
      reason,
      duration: durationMs / 1_000,
      suppressed,
    };
    this.#host.log.warn(fields, 'a request to the sidecar failed');
    this.#failureLoggedMs = nowMs;
    this.#failuresUnlogged = 0;
  }
}
