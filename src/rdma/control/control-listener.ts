/**
 * The target's port for proxies. A peer that does not know the secret gets no further: UCX's own ports take packets of
 * admitted hosts alone, and a host is admitted while a control connection of it is open.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { AddressCounts } from '../../connections/address-counts.ts';
import { backlog } from '../../connections/connection-bounds.ts';
import { messageOf } from '../errors.ts';
import { hasSecret, type Secret } from '../secret.ts';
import { type AdmittedTo, Peer } from './control-peer.ts';
import { plainHost, type Refusal, type StreamKind } from './control-protocol.ts';
import { hostsByAddress } from './named-hosts.ts';

export interface ControlOptions {
  /** A literal address. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly secret: Secret;
  /** From the accept to the proof. */
  readonly handshakeTimeoutMs: number;
  /** Connections of one address that have not proved themselves; the oldest gives place to more. */
  readonly pendingPerAddressMax: number;
  /** Connections that have: the oldest of the address with most gives place to more. */
  readonly admittedMax: number;
  /** Counts those that this process may still open. */
  readonly freeDescriptors: () => number;
  /** The network devices of UCX, as UCX_NET_DEVICES. */
  readonly devices: string;
  /** UCX_TLS. */
  readonly transports: string;
  /** For proxies that want no UCX. */
  readonly streams: StreamKind;
}

export interface RefusedPeer {
  readonly host: string;
  readonly status: Refusal;
  readonly detail: string | undefined;
}

/** Admitted, though UCX may not reach it. */
export interface TranslatedPeer {
  readonly host: string;
  readonly detail: string;
}

/** Bounds the connections of all addresses that have not proved themselves; fewer where descriptors are short. */
const pendingMax = 256;
const pendingMin = 8;
/** Unproved connections take this share of the free descriptors. */
const descriptorShare = 0.25;
const descriptorsAgeMs = 500;
const refusalsMax = 256;
/** Bounds an address without a secret: the devices of four hosts behind it. */
const hostsPerAddressMax = 64;

export interface ControlListener {
  readonly port: number;
  /** Begins to answer. To be called in the turn of the event loop in which the listener was opened. */
  serve(to: AdmittedTo): void;
  /** Connections that have not proved themselves. */
  readonly pending: number;
  /** Those that were ended by a bound, since the start. */
  readonly ended: number;
  /** Those that were told why they are refused, since the start. */
  readonly refused: number;
  /** The first `refusalsMax` of them since the last call. */
  takeRefusals(): readonly RefusedPeer[];
  /** Likewise, of those that do not name the address from which they come. */
  takeTranslated(): readonly TranslatedPeer[];
  /** Takes no more connections; those that are admitted stay until `end`. */
  stop(): void;
  /** Ends all. */
  end(): void;
}

/** @throws a system error where the address cannot be had. */
export async function openControlListener(options: ControlOptions): Promise<ControlListener> {
  const server = createServer({ noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  // `ipv6Only`: as UCX's own listener, "::" takes IPv6 alone.
  server.listen({ host: options.host, port: options.port, ipv6Only: true, backlog }, resolve);
  await promise;
  return new TcpControlListener(server, options);
}

class TcpControlListener implements ControlListener {
  readonly port: number;
  readonly #server: Server;
  readonly #options: ControlOptions;
  #to: AdmittedTo | undefined;
  /** The oldest first. */
  readonly #pending = new Set<Peer>();
  readonly #admitted = new Map<Peer, readonly string[]>();
  readonly #refusals: RefusedPeer[] = [];
  readonly #translated: TranslatedPeer[] = [];
  #pendingMax = pendingMax;
  #pendingMaxMs = Number.NEGATIVE_INFINITY;
  #ended = 0;
  #refused = 0;

  constructor(server: Server, options: ControlOptions) {
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    this.#server = server;
    this.#options = options;
    // Without a descriptor left accept() fails, and is tried again.
    server.on('error', () => {});
  }

  serve(to: AdmittedTo): void {
    this.#to = to;
    this.#server.on('connection', (socket) => this.#came(socket, to));
  }

  get pending(): number {
    return this.#pending.size;
  }

  get ended(): number {
    return this.#ended;
  }

  get refused(): number {
    return this.#refused;
  }

  takeRefusals(): readonly RefusedPeer[] {
    return this.#refusals.splice(0);
  }

  takeTranslated(): readonly TranslatedPeer[] {
    return this.#translated.splice(0);
  }

  stop(): void {
    this.#server.close();
    for (const peer of this.#pending) peer.end();
  }

  end(): void {
    this.stop();
    for (const peer of this.#admitted.keys()) peer.end();
  }

  #came(socket: Socket, to: AdmittedTo): void {
    const host = plainHost(socket.remoteAddress);
    if (host === '') {
      socket.destroy();
      return;
    }
    this.#makePlace(host);
    const { secret, handshakeTimeoutMs, devices, transports, streams } = this.#options;
    const peer = new Peer(
      { socket, host, to, secret, handshakeTimeoutMs, devices, transports, streams },
      {
        admit: (hosts) => this.#admit(peer, hosts),
        translated: (detail) => this.#tellTranslated({ host, detail }),
        refused: (status, detail) => this.#tellRefusal({ host, status, detail }),
        gone: () => this.#gone(peer),
        timedOut: () => this.#end(peer),
      },
    );
    this.#pending.add(peer);
  }

  /** For a newcomer: the oldest of its address goes, or of the address that has most. */
  #makePlace(host: string): void {
    const counts = countAddresses(this.#pending);
    const max = this.#placesNow();
    const isCrowd = counts.of(host) >= Math.min(this.#options.pendingPerAddressMax, max);
    if (isCrowd) this.#endOldest(this.#pending, host);
    else if (this.#pending.size >= max) this.#endOldest(this.#pending, counts.most());
  }

  #placesNow(): number {
    const nowMs = performance.now();
    if (nowMs - this.#pendingMaxMs < descriptorsAgeMs) return this.#pendingMax;
    const free = this.#options.freeDescriptors() + this.#pending.size;
    const share = Math.floor(free * descriptorShare);
    this.#pendingMaxMs = nowMs;
    this.#pendingMax = Math.max(pendingMin, Math.min(pendingMax, share));
    return this.#pendingMax;
  }

  #endOldest(peers: Iterable<Peer>, host: string | undefined): void {
    const oldest = [...peers].find((peer) => peer.host === host);
    if (oldest === undefined) return;
    this.#admitted.delete(oldest);
    this.#end(oldest);
  }

  #end(peer: Peer): void {
    this.#ended += 1;
    this.#pending.delete(peer);
    peer.end();
  }

  #admit(peer: Peer, hosts: readonly string[]): string | undefined {
    if (this.#admitted.size >= this.#options.admittedMax) this.#endOldestAdmitted();
    this.#pending.delete(peer);
    this.#admitted.set(peer, hosts);
    if (!hasSecret(this.#options.secret)) this.#boundHosts(peer);
    let fault = this.#tellHosts();
    while (fault !== undefined && this.#endOfMostHosts(peer)) fault = this.#tellHosts();
    if (fault === undefined) return undefined;
    this.#admitted.delete(peer);
    this.#tellHosts();
    return fault;
  }

  /** Without a secret a stranger names what it likes: the oldest connections of its address go. */
  #boundHosts(peer: Peer): void {
    while ((hostsByAddress(this.#admitted).get(peer.host)?.size ?? 0) > hostsPerAddressMax) {
      if (!this.#endOldestBut(peer, peer.host)) return;
    }
  }

  /** The filter is full: the address that named most hosts loses its oldest connection. False: that would be the newcomer itself. */
  #endOfMostHosts(newcomer: Peer): boolean {
    const named = hostsByAddress(this.#admitted);
    let most = newcomer.host;
    for (const [address, hosts] of named) {
      if (hosts.size > (named.get(most)?.size ?? 0)) most = address;
    }
    return this.#endOldestBut(newcomer, most);
  }

  #endOldestBut(newcomer: Peer, address: string): boolean {
    const oldest = [...this.#admitted.keys()].find(({ host }) => host === address);
    if (oldest === undefined || oldest === newcomer) return false;
    this.#admitted.delete(oldest);
    this.#end(oldest);
    return true;
  }

  /** One that leads a session asks again at once, one that only takes the place need not. */
  #endOldestAdmitted(): void {
    const most = countAddresses(this.#admitted.keys()).most();
    this.#endOldest(this.#admitted.keys(), most);
  }

  #tellRefusal(refused: RefusedPeer): void {
    this.#refused += 1;
    if (this.#refusals.length < refusalsMax) this.#refusals.push(refused);
  }

  #tellTranslated(translated: TranslatedPeer): void {
    if (this.#translated.length < refusalsMax) this.#translated.push(translated);
  }

  #gone(peer: Peer): void {
    this.#pending.delete(peer);
    if (this.#admitted.delete(peer)) this.#tellHosts();
  }

  #tellHosts(): string | undefined {
    try {
      this.#to?.admit([...new Set([...this.#admitted.values()].flat())]);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }
}

function countAddresses(peers: Iterable<Peer>): AddressCounts {
  const counts = new AddressCounts();
  for (const { host } of peers) counts.add(host);
  return counts;
}
