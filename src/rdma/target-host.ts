/**
 * The target's half of the native part: sessions and engine on a progress thread of their own, behind the control port
 * that admits proxies to it.
 */

import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { atExit } from './at-exit.ts';
import { loadBinding } from './binding.ts';
import type { ConnectionCounts } from './connection-watch.ts';
import {
  type ControlListener,
  type ControlOptions,
  openControlListener,
} from './control/control-listener.ts';
import { messageOf, RdmaUnavailableError } from './errors.ts';
import type {
  Binding,
  NativeServedVolume,
  NativeTarget,
  NativeTargetOptions,
  NativeTargetStats,
} from './native-types.ts';
import type { TargetVolume } from './needle-fetcher.ts';
import { hasSecret, type Secret, secretsNow } from './secret.ts';
import { type ShmLoss, startWithShm } from './shared-memory.ts';
import { failureOf, type StatusName, statusNumbers } from './status.ts';
import { secondAddress } from './ucx-addresses.ts';
import { transportsOf } from './ucx-devices.ts';

export interface TargetHostOptions {
  /** A literal address. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Where UCX listens; 0, the default: any free one. */
  readonly ucxPort?: number;
  /** Without one everyone who speaks the protocol is served. */
  readonly secret: Secret;
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
  /** Requests of all sessions under way; the default is 4096. */
  readonly requestsMax?: number;
  /** A read waits this long for memory of the arena, then it is answered `no_slab`; the default is 250. */
  readonly memoryWaitMs?: number;
  readonly sessionTimeoutMs?: number;
  readonly handshakeTimeoutMs?: number;
  readonly pendingPerAddressMax?: number;
  /** RLIMIT_NOFILE: peers that have proved nothing leave descriptors to those that have. */
  readonly descriptorLimit?: number;
  /** Polls this long after the last activity before it sleeps: latency for CPU. */
  readonly spinUs?: number;
  readonly deviceName?: string;
  /** A session of UCX stays on the device over which it came, as rails need it. Default: UCX may use every device. */
  readonly keepsDevice?: boolean;
  readonly tls?: string;
  /** "tcp": no UCX; proxies reach the target over TCP connections of ours alone, as they may with "ucx", the default. */
  readonly transport?: 'ucx' | 'tcp';
  /** TCP connections of ours go without TLS, as they do without a secret. */
  readonly isTlsOff?: boolean;
}

/** One row of the volume server's GET /status. */
export type ServedVolume = NativeServedVolume;
export type TargetHostStats = NativeTargetStats;

/** The start or end of a session. */
export interface SessionEvent {
  readonly kind: 'welcomed' | 'refused' | 'ended' | 'lost' | 'translated';
  /** undefined: refused before there was a session. */
  readonly sessionId: bigint | undefined;
  /** Why it was refused or ended; undefined: no reason was given. */
  readonly status: Exclude<StatusName, 'ok'> | undefined;
  /** The address of a peer that was refused, or seems translated, on its control connection. */
  readonly peer?: string | undefined;
  readonly detail?: string | undefined;
}

export interface TargetHost {
  /** Takes control connections; UCX's own port is told to those that are admitted. */
  readonly port: number;
  /** "host:port". */
  readonly address: string;
  /** undefined: UCX has the shared memory that it wants. */
  readonly shmLoss: ShmLoss | undefined;
  /** Why UCX's TCP ports take packets of every host; undefined: of admitted ones alone. */
  readonly guardFault: string | undefined;
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
  /** Sessions that begin from now on may be proved by what `secret` gives now. */
  secretChanged(): void;
  /** The served volumes, as last announced to the sessions. */
  volumes(): readonly TargetVolume[];
  /** Until it is stopped it keeps the process up. No new sessions, GOODBYE to the others, requests in flight finished within `drainMs`. Idempotent. */
  stop(drainMs: number): Promise<void>;
}

/** @throws RdmaUnavailableError when UCX, the memory or a directory cannot be had; a system error for the address. */
export async function startTargetHost(options: TargetHostOptions): Promise<TargetHost> {
  const { TargetHost: Native } = ucxBinding();
  const { host, port, secret, tls = 'auto' } = options;
  const control = await openControlListener({ host, port, secret, ...boundsOf(options) });
  try {
    const create = (chosen: string): NativeTarget => new Native(nativeOptions(options, chosen));
    const { made, loss } = isUcx(options)
      ? startWithShm({ tls, transports: transportsOf(tls) }, create)
      : { made: create(tls), loss: undefined };
    control.serve({
      ucxPlace: (reached) => ({ host: ucxHostOf(reached), port: made.port }),
      admit: (hosts) => made.admitPeers(hosts),
      adopt: (fd, key) => made.adopt(fd, key),
      hasUcx: isUcx(options),
      keepsDevice: options.keepsDevice === true,
    });
    return new NativeTargetHost(made, control, { host, secret, shmLoss: loss });
  } catch (cause) {
    control.end();
    throw new RdmaUnavailableError('start-failed', messageOf(cause), { cause });
  }
}

function isUcx({ transport = 'ucx' }: TargetHostOptions): boolean {
  return transport === 'ucx';
}

function freeDescriptors(limit: number): number {
  try {
    return limit - readdirSync('/proc/self/fd').length;
  } catch {
    // None is left to look with.
    return 0;
  }
}

/** UCX's TCP is reached at the first address of a device alone. */
function ucxHostOf(host: string): string {
  return secondAddress(host, networkInterfaces())?.first ?? host;
}

function ucxBinding(): Binding {
  const binding = loadBinding();
  if (binding.hasUcx) return binding;
  throw new RdmaUnavailableError(
    'no-ucx',
    'the native part was built without UCX, so there can be no target: install UCX (libucx-dev), libsodium (libsodium-dev) and OpenSSL\'s headers (libssl-dev), then run "npm run build:native"',
  );
}

function boundsOf(options: TargetHostOptions): Omit<ControlOptions, 'host' | 'port' | 'secret'> {
  return {
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? 5_000,
    pendingPerAddressMax: options.pendingPerAddressMax ?? 64,
    admittedMax: options.sessionsMax ?? 1000,
    devices: options.deviceName ?? 'auto',
    transports: transportsOf(options.tls ?? 'auto'),
    streams: hasSecret(options.secret) && options.isTlsOff !== true ? 'tls' : 'plain',
    freeDescriptors: () => freeDescriptors(options.descriptorLimit ?? Number.POSITIVE_INFINITY),
  };
}

function nativeOptions(options: TargetHostOptions, tls: string): NativeTargetOptions {
  const { handshakeTimeoutMs, pendingPerAddressMax, admittedMax } = boundsOf(options);
  return {
    host: ucxHostOf(options.host),
    port: options.ucxPort ?? 0,
    secrets: secretsNow(options.secret),
    sessionsMax: admittedMax,
    requestsPerSessionMax: options.requestsPerSessionMax ?? 1024,
    requestsMax: options.requestsMax ?? 4096,
    memoryWaitNs: (options.memoryWaitMs ?? 250) * 1e6,
    sessionTimeoutNs: (options.sessionTimeoutMs ?? 300_000) * 1e6,
    handshakeTimeoutNs: handshakeTimeoutMs * 1e6,
    pendingPerAddressMax,
    // The server's own bound; stop() has its own and ends the draining.
    drainTimeoutNs: 3600e9,
    spinNs: (options.spinUs ?? 0) * 1e3,
    deviceName: options.deviceName ?? 'auto',
    keepsDevice: options.keepsDevice ?? false,
    tls,
    isUcx: isUcx(options),
    isGuarded: true,
    arenaBytes: options.arenaBytes,
    hugepages: options.hugepages,
    dirs: options.dirs,
    idxDirs: options.idxDirs ?? [],
    unconfirmed: options.unconfirmed ?? false,
    confirmIntervalNs: (options.confirmIntervalMs ?? 1000) * 1e6,
    ioThreads: options.ioThreads ?? 2,
  };
}

const noSession = { sessionId: undefined, status: undefined };

interface HostFacts {
  readonly host: string;
  readonly secret: Secret;
  readonly shmLoss: ShmLoss | undefined;
}

class NativeTargetHost implements TargetHost {
  readonly port: number;
  readonly address: string;
  readonly shmLoss: ShmLoss | undefined;
  readonly guardFault: string | undefined;
  readonly #native: NativeTarget;
  readonly #control: ControlListener;
  readonly #secret: Secret;
  readonly #forget: () => void;
  #stopping: Promise<void> | undefined;

  constructor(native: NativeTarget, control: ControlListener, facts: HostFacts) {
    this.#native = native;
    this.#control = control;
    this.#secret = facts.secret;
    this.shmLoss = facts.shmLoss;
    this.guardFault = native.guardFault || undefined;
    this.#forget = atExit(() => native.destroy());
    this.port = control.port;
    const { host } = facts;
    this.address = host.includes(':') ? `[${host}]:${this.port}` : `${host}:${this.port}`;
  }

  confirm(startedAgoMs: number, rows: readonly ServedVolume[]): void {
    this.#native.confirm(startedAgoMs * 1e6, rows);
  }

  onPollWanted(listener: () => void): void {
    this.#native.onPollWanted(listener);
  }

  stats(): TargetHostStats {
    const stats = this.#native.stats();
    return { ...stats, sessionsRefused: stats.sessionsRefused + this.#control.refused };
  }

  lookAtConnections(): ConnectionCounts {
    const counts = this.#native.lookAtConnections();
    const { pending, ended } = this.#control;
    return { ...counts, waiting: counts.waiting + pending, ended: counts.ended + ended };
  }

  takeSessionEvents(): readonly SessionEvent[] {
    const refused = this.#control
      .takeRefusals()
      .map(
        ({ host, status, detail }) =>
          ({ kind: 'refused', sessionId: undefined, status, peer: host, detail }) as const,
      );
    const translated = this.#control.takeTranslated().map(({ host, detail }) => ({
      ...noSession,
      kind: 'translated' as const,
      peer: host,
      detail,
    }));
    const events = this.#native.takeSessionEvents().map(({ kind, sessionId, status }) => ({
      kind,
      sessionId: sessionId === 0n ? undefined : sessionId,
      status: status === statusNumbers.ok ? undefined : failureOf(status).status,
    }));
    return [...refused, ...translated, ...events];
  }

  secretChanged(): void {
    this.#native.setSecrets(secretsNow(this.#secret));
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
    this.#control.stop();
    this.#native.stop(resolve);
    await promise;
    this.#control.end();
    clearTimeout(timer);
    this.#native.destroy();
    this.#forget();
  }
}
