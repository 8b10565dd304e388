/** The target's half of the native part: listener, sessions and engine on a progress thread of their own. */

import { atExit } from './at-exit.ts';
import { loadBinding } from './binding.ts';
import { failureOf } from './completion-reader.ts';
import type { ConnectionCounts } from './connection-watch.ts';
import { messageOf, RdmaUnavailableError } from './errors.ts';
import type { NativeServedVolume, NativeTarget, NativeTargetStats } from './native-types.ts';
import type { TargetVolume } from './needle-fetcher.ts';
import { type ShmLoss, startWithShm } from './shared-memory.ts';
import { type StatusName, statusNumbers } from './status.ts';
import { transportsOf } from './ucx-devices.ts';

export interface TargetHostOptions {
  /** A literal address. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Empty: everyone who speaks the protocol is served. */
  readonly secret: string;
  readonly arenaBytes: number;
  readonly hugepages: 'try' | 'require' | 'off';
  readonly dirs: readonly string[];
  /** Empty, one for all, or one for each of `dirs`. */
  readonly idxDirs?: readonly string[];
  /** Serves without a volume server to ask. */
  readonly unconfirmed?: boolean;
  readonly confirmIntervalMs?: number;
  readonly ioThreads?: number;
  readonly sessionsMax?: number;
  readonly requestsPerSessionMax?: number;
  readonly sessionTimeoutMs?: number;
  readonly handshakeTimeoutMs?: number;
  readonly pendingPerAddressMax?: number;
  /** Polls this long after the last activity before it sleeps: latency for CPU. */
  readonly spinUs?: number;
  readonly deviceName?: string;
  readonly tls?: string;
}

/** One row of the volume server's GET /status. */
export type ServedVolume = NativeServedVolume;
export type TargetHostStats = NativeTargetStats;

/** The start or end of a session. */
export interface SessionEvent {
  readonly kind: 'welcomed' | 'refused' | 'ended' | 'lost';
  /** undefined: refused before there was a session. */
  readonly sessionId: bigint | undefined;
  /** Why it was refused or ended; undefined: no reason was given. */
  readonly status: Exclude<StatusName, 'ok'> | undefined;
}

export interface TargetHost {
  readonly port: number;
  /** "host:port". */
  readonly address: string;
  /** undefined: UCX has the shared memory that it wants. */
  readonly shmLoss: ShmLoss | undefined;
  /** A poll of the volume server that succeeded; `startedAgoMs` since before it was sent. */
  confirm(startedAgoMs: number, rows: readonly ServedVolume[]): void;
  /**
   * `listener` is called when a proxy asks for a volume that the last poll does not list: once until the next poll
   * that began after the asking was confirmed.
   */
  onPollWanted(listener: () => void): void;
  stats(): TargetHostStats;
  /**
   * To be called every so often: ends TCP connections that have not become a session in time, or are too many of one
   * address. UCX itself waits for them without end.
   */
  lookAtConnections(): ConnectionCounts;
  /** Takes the events in order, each once; the last 256 are kept. */
  takeSessionEvents(): readonly SessionEvent[];
  /** The served volumes, as last announced to the sessions. */
  volumes(): readonly TargetVolume[];
  /** Until it is stopped it keeps the process up. No new sessions, GOODBYE to the others, requests in flight finished within `drainMs`. Idempotent. */
  stop(drainMs: number): Promise<void>;
}

/** Throws RdmaUnavailableError when UCX, the memory, a directory or the address cannot be had. */
export function startTargetHost(options: TargetHostOptions): TargetHost {
  const binding = loadBinding();
  if (!binding.hasUcx) {
    throw new RdmaUnavailableError(
      'no-ucx',
      'the native part was built without UCX, so there can be no target: install UCX (libucx-dev) and libsodium (libsodium-dev), then run "npm run build:native"',
    );
  }
  const create = (tls: string): NativeTarget =>
    new binding.TargetHost({
      host: options.host,
      port: options.port,
      secret: options.secret,
      sessionsMax: options.sessionsMax ?? 1000,
      requestsPerSessionMax: options.requestsPerSessionMax ?? 1024,
      sessionTimeoutNs: (options.sessionTimeoutMs ?? 300_000) * 1e6,
      handshakeTimeoutNs: (options.handshakeTimeoutMs ?? 5_000) * 1e6,
      pendingPerAddressMax: options.pendingPerAddressMax ?? 64,
      // The server's own bound; stop() has its own and ends the draining.
      drainTimeoutNs: 3600e9,
      spinNs: (options.spinUs ?? 0) * 1e3,
      deviceName: options.deviceName ?? 'auto',
      tls,
      arenaBytes: options.arenaBytes,
      hugepages: options.hugepages,
      dirs: options.dirs,
      idxDirs: options.idxDirs ?? [],
      unconfirmed: options.unconfirmed ?? false,
      confirmIntervalNs: (options.confirmIntervalMs ?? 1000) * 1e6,
      ioThreads: options.ioThreads ?? 2,
    });
  const tls = options.tls ?? 'auto';
  try {
    const { made, loss } = startWithShm({ tls, transports: transportsOf(tls) }, create);
    return new NativeTargetHost(made, options.host, loss);
  } catch (cause) {
    throw new RdmaUnavailableError('start-failed', messageOf(cause), { cause });
  }
}

class NativeTargetHost implements TargetHost {
  readonly port: number;
  readonly address: string;
  readonly shmLoss: ShmLoss | undefined;
  readonly #native: NativeTarget;
  readonly #forget: () => void;
  #stopping: Promise<void> | undefined;

  constructor(native: NativeTarget, host: string, shmLoss: ShmLoss | undefined) {
    this.#native = native;
    this.shmLoss = shmLoss;
    this.#forget = atExit(() => native.destroy());
    this.port = native.port;
    this.address = host.includes(':') ? `[${host}]:${native.port}` : `${host}:${native.port}`;
  }

  confirm(startedAgoMs: number, rows: readonly ServedVolume[]): void {
    this.#native.confirm(startedAgoMs * 1e6, rows);
  }

  onPollWanted(listener: () => void): void {
    this.#native.onPollWanted(listener);
  }

  stats(): TargetHostStats {
    return this.#native.stats();
  }

  lookAtConnections(): ConnectionCounts {
    return this.#native.lookAtConnections();
  }

  takeSessionEvents(): readonly SessionEvent[] {
    return this.#native.takeSessionEvents().map(({ kind, sessionId, status }) => ({
      kind,
      sessionId: sessionId === 0n ? undefined : sessionId,
      status: status === statusNumbers.ok ? undefined : failureOf(status).status,
    }));
  }

  volumes(): readonly TargetVolume[] {
    return this.#native.volumes();
  }

  stop(drainMs: number): Promise<void> {
    this.#stopping ??= this.#drain(drainMs);
    return this.#stopping;
  }

  async #drain(drainMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.#native.destroy(), drainMs);
    this.#native.stop(resolve);
    await promise;
    clearTimeout(timer);
    this.#native.destroy();
    this.#forget();
  }
}
