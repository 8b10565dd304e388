/**
 * The proxy's half of the native part: one arena and one worker on this thread's event loop, many targets. Everything
 * that is fetched through it lies in its arena until the lease is released.
 */
import { loadBinding } from './binding.ts';
import type { ConnectionCounts } from './connection-watch.ts';
import { AdmittedHosts } from './control/admitted-hosts.ts';
import { messageOf, RdmaMisuseError, RdmaUnavailableError } from './errors.ts';
import type {
  NativeClient,
  NativeClientOptions,
  NativeEngineStats,
  OnBatch,
} from './native-types.ts';
import type { NeedleFetcher, ReadRecord } from './needle-fetcher.ts';
import { isNear } from './rails/rail-ways.ts';
import { RailsFetcher } from './rails/rails-fetcher.ts';
import { RequestBook } from './request-book.ts';
import { type ShmLoss, type ShmStarted, startWithShm } from './shared-memory.ts';
import {
  type FabricSide,
  InprocConnector,
  type RailRoute,
  type TargetAddress,
  TargetConnector,
} from './target-connector.ts';
import { type Connector, TargetFetcher } from './target-fetcher.ts';
import type { ServedVolume } from './target-host.ts';
import { type TransportChoice, transportsOf } from './ucx-devices.ts';

export type { TargetAddress } from './target-connector.ts';

interface CommonOptions {
  readonly arenaBytes: number;
  readonly hugepages: 'try' | 'require' | 'off';
  /** In flight over all targets, at most 65535; more end as `overload`. */
  readonly requestsMax?: number;
  /** Called once for each read of a target that has ended. Must not throw. */
  readonly onRead?: (record: ReadRecord) => void;
}

export interface UcxClientOptions extends CommonOptions {
  readonly kind: 'ucx';
  /** UCX_NET_DEVICES and UCX_TLS; "auto": UCX's own choice. */
  readonly deviceName?: string;
  /** Devices of rails, in place of `deviceName`: for UCX as UCX_NET_DEVICES each. */
  readonly rails?: readonly string[];
  readonly tls?: string;
  /**
   * Address family of UCX's TCP, which speaks one address family in a process. Targets of the other are not connected
   * over it.
   */
  readonly isIpv6?: boolean;
  /** Bounds of connections to UCX's own TCP ports; absent: none, and lookAtConnections() has nothing to tell. */
  readonly connectionBounds?: {
    /** For a peer to say who it is. */
    readonly handshakeTimeoutMs: number;
    readonly pendingPerAddressMax: number;
  };
  /** "tcp": targets are reached over TCP connections of ours, without UCX; "auto": by UCX those that have it. */
  readonly transport?: TransportChoice;
  /** TCP connections of ours go without TLS, as they do without a secret. */
  readonly isTlsOff?: boolean;
  /** Polls this long before sleeping while requests are in flight: latency for CPU. */
  readonly spinUs?: number;
}

export interface InprocClientOptions extends CommonOptions {
  readonly kind: 'inproc';
  readonly dirs: readonly string[];
  /** Empty, one for all, or one for each of `dirs`. */
  readonly idxDirs?: readonly string[];
  /** Serves without a volume server to ask. */
  readonly unconfirmed?: boolean;
  readonly confirmIntervalMs?: number;
  readonly ioThreads?: number;
  /** Holds every answer back until this long after it was asked for. */
  readonly simulatedLatencyUs?: number;
}

export type RdmaClientOptions = UcxClientOptions | InprocClientOptions;

export interface RailsOfTarget {
  /** Addresses of one target: each rail dials one in its device's network. */
  readonly places: readonly Pick<TargetAddress, 'host' | 'port'>[];
  /** A rail without a sign of life for so long is left for another. */
  readonly silenceMs: number;
  /** A session over TCP takes over while no other way works. */
  readonly hasFallback: boolean;
  /** Sessions over each rail, each with a connection of its own. */
  readonly connections: number;
}

export interface RdmaClientStats {
  readonly arenaBytesTotal: number;
  /** Sum of the slabs that are out, not of the bytes asked for. */
  readonly arenaBytesUsed: number;
  readonly pageKind: 'hugetlb' | 'transparent' | 'normal';
  readonly leasesOutstanding: number;
  /** Slabs that could not be had, and how many bytes the last of them was to hold. */
  readonly arenaRefusals: number;
  readonly arenaRefusedBytes: number;
  /** Leases that were collected as garbage instead of released. Each is a bug of the holder. */
  readonly leaseLeaks: number;
  readonly requestsInFlight: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Answers to requests that had ended before. */
  readonly lateReplies: number;
  readonly sessions: number;
}

export interface RdmaClient {
  readonly kind: 'ucx' | 'inproc';
  /** undefined: UCX has the shared memory that it wants. */
  readonly shmLoss: ShmLoss | undefined;
  /** Why UCX's TCP ports take packets of every host; undefined: of admitted ones alone. */
  readonly guardFault: string | undefined;
  /**
   * Connects a client of kind ucx to a target, and again with a growing pause whenever the target is lost. Close the
   * fetcher to stop.
   */
  addTarget(address: TargetAddress): NeedleFetcher;
  /** Does the same over each of the client's rails, or over the one way that it has. */
  addRails(address: TargetAddress, options: RailsOfTarget): RailsFetcher;
  /** Returns the fetcher that reads the directories in this process, for kind inproc. */
  inproc(): NeedleFetcher;
  /** Reports a successful poll of the volume server, for kind inproc; `startedAgoMs` since before it was sent. */
  confirm(startedAgoMs: number, rows: readonly ServedVolume[]): void;
  /** The engine's counters, for kind inproc. */
  engineStats(): NativeEngineStats;
  stats(): RdmaClientStats;
  /**
   * Enforces `connectionBounds`, for kind ucx; to be called every so often, one at a time. undefined: nothing to bound.
   */
  lookAtConnections(): Promise<ConnectionCounts> | undefined;
  /**
   * Closes every fetcher; requests in flight end as `closed`. Leases stay valid until released. Idempotent. As with a
   * socket, a fetcher that is not closed keeps the process up.
   */
  close(): Promise<void>;
}

/** Throws RdmaUnavailableError when UCX, the memory or a directory cannot be had. */
export function createRdmaClient(options: RdmaClientOptions): RdmaClient {
  return new NativeRdmaClient(options);
}

const requestsMaxDefault = 4096;
const tcpName = 'tcp';

interface SessionWay {
  readonly name: string;
  readonly device: string;
  readonly isFallback: boolean;
  readonly connector: Connector;
}

class NativeRdmaClient implements RdmaClient {
  readonly kind: 'ucx' | 'inproc';
  shmLoss: ShmLoss | undefined;
  readonly guardFault: string | undefined;
  readonly #native: NativeClient;
  readonly #book: RequestBook;
  readonly #side: FabricSide;
  readonly #devices: readonly string[];
  readonly #onRead: ((record: ReadRecord) => void) | undefined;
  readonly #fetchers: NeedleFetcher[] = [];
  readonly #railed: RailsFetcher[] = [];
  #closing: Promise<void> | undefined;

  constructor(options: RdmaClientOptions) {
    this.kind = options.kind;
    this.#onRead = options.onRead;
    const requestsMax = options.requestsMax ?? requestsMaxDefault;
    this.#book = new RequestBook(requestsMax, (onBatch) => {
      const { made, loss } = createNative(nativeOptions(options, requestsMax), onBatch);
      this.shmLoss = loss;
      return made;
    });
    this.#native = this.#book.native;
    this.guardFault = this.#native.guardFault() || undefined;
    const targets = options.kind === 'ucx' ? options : undefined;
    this.#devices = targets?.rails ?? [];
    this.#side = {
      peers: new AdmittedHosts(this.#native),
      isIpv6: targets?.isIpv6 ?? false,
      devices: targets?.deviceName || 'auto',
      transports: transportsOf(targets?.tls || 'auto'),
      keepsDevice: this.#devices.length > 0,
      transport: targets?.transport ?? 'ucx',
      isTlsOff: targets?.isTlsOff ?? false,
    };
  }

  addTarget(address: TargetAddress): NeedleFetcher {
    this.#mustBe('ucx', 'addTarget');
    const connector = new TargetConnector(this.#native, address, this.#side);
    return this.#fetcher(nameOf(address), connector, this.#onRead);
  }

  addRails(address: TargetAddress, options: RailsOfTarget): RailsFetcher {
    this.#mustBe('ucx', 'addRails');
    const { silenceMs } = options;
    const places = this.#waysTo(address, options).map(({ name, device, isFallback, connector }) => {
      // Reads are counted once, whichever rails they took.
      const fetcher = this.#fetcher(`${nameOf(address)} over ${name}`, connector, undefined);
      return { name, fetcher, isFallback, isNear: isNear(device) };
    });
    const rules = { silenceMs };
    const fetcher = new RailsFetcher({
      address: nameOf(address),
      places,
      rules,
      onRead: this.#onRead,
    });
    this.#railed.push(fetcher);
    return fetcher;
  }

  #waysTo(
    address: TargetAddress,
    { places, hasFallback, connections }: RailsOfTarget,
  ): readonly SessionWay[] {
    // With a fallback a way over UCX stays one.
    const side: FabricSide = hasFallback ? { ...this.#side, transport: 'ucx' } : this.#side;
    const sessions = (
      device: string,
      chosen: FabricSide,
      route?: RailRoute,
    ): readonly SessionWay[] =>
      Array.from({ length: connections }, (_, index) => ({
        name: connections === 1 ? device : `${device}/${index + 1}`,
        device,
        isFallback: chosen.transport === 'tcp' && hasFallback,
        connector: new TargetConnector(this.#native, address, chosen, route),
      }));
    const ways = this.#devices.flatMap((device, index) =>
      sessions(device, { ...side, devices: device }, { device, index, places }),
    );
    if (ways.length === 0) {
      ways.push(...sessions(side.transport === 'tcp' ? tcpName : 'ucx', side));
    }
    if (!hasFallback) return ways;
    const route = { device: undefined, index: 0, places };
    return [...ways, ...sessions(tcpName, { ...this.#side, transport: 'tcp' }, route)];
  }

  inproc(): NeedleFetcher {
    this.#mustBe('inproc', 'inproc');
    const [first] = this.#fetchers;
    if (first !== undefined) return first;
    return this.#fetcher('inproc', new InprocConnector(this.#native), this.#onRead);
  }

  confirm(startedAgoMs: number, rows: readonly ServedVolume[]): void {
    this.#mustBe('inproc', 'confirm');
    this.#native.confirm(startedAgoMs * 1e6, rows);
  }

  engineStats(): NativeEngineStats {
    this.#mustBe('inproc', 'engineStats');
    return this.#native.engineStats();
  }

  lookAtConnections(): Promise<ConnectionCounts> | undefined {
    return this.#closing === undefined ? this.#native.lookAtConnections() : undefined;
  }

  stats(): RdmaClientStats {
    const native = this.#native.stats();
    return {
      arenaBytesTotal: native.arenaBytesTotal,
      arenaBytesUsed: native.arenaBytesLeased,
      pageKind: native.pageKind,
      leasesOutstanding: native.leasesOutstanding,
      arenaRefusals: native.arenaRefusals,
      arenaRefusedBytes: native.arenaRefusedBytes,
      leaseLeaks: this.#book.leaseLeaks,
      requestsInFlight: this.#book.requestsInFlight,
      bytesReceived: native.bytesReceived,
      bytesSent: native.bytesSent,
      lateReplies: native.lateReplies,
      sessions: native.sessions,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // Those with rails first: else they would send on another rail what ends on one.
    for (const fetcher of [...this.#railed, ...this.#fetchers]) void fetcher.close();
    await Promise.all(this.#fetchers.map((fetcher) => fetcher.close()));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#native.close(resolve);
    await promise;
  }

  #fetcher(
    address: string,
    connector: Connector,
    onRead: ((record: ReadRecord) => void) | undefined,
  ): NeedleFetcher {
    const fetcher = new TargetFetcher(this.#book, address, connector, onRead);
    this.#fetchers.push(fetcher);
    return fetcher;
  }

  #mustBe(kind: 'ucx' | 'inproc', method: string): void {
    if (this.kind !== kind)
      throw new RdmaMisuseError(`${method}() belongs to a client of kind ${kind}`);
    if (this.#closing !== undefined) throw new RdmaMisuseError(`${method}() after close()`);
  }
}

function nameOf({ host, port }: TargetAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function createNative(options: NativeClientOptions, onBatch: OnBatch): ShmStarted<NativeClient> {
  const binding = loadBinding();
  if (options.kind === 'ucx' && !binding.hasUcx) {
    throw new RdmaUnavailableError(
      'no-ucx',
      'the native part was built without UCX: use transport "inproc", or install UCX (libucx-dev), libsodium (libsodium-dev) and OpenSSL\'s headers (libssl-dev), and run "npm run build:native"',
    );
  }
  const { tls } = options;
  const create = (chosen: string): NativeClient =>
    new binding.RdmaClient({ ...options, tls: chosen }, onBatch);
  try {
    if (!options.isUcx) return { made: create(tls), loss: undefined };
    return startWithShm({ tls, transports: transportsOf(tls) }, create);
  } catch (cause) {
    throw new RdmaUnavailableError('start-failed', messageOf(cause), { cause });
  }
}

function nativeOptions(options: RdmaClientOptions, requestsMax: number): NativeClientOptions {
  const ucx = options.kind === 'ucx' ? options : undefined;
  const inproc = options.kind === 'inproc' ? options : undefined;
  return {
    kind: options.kind,
    isUcx: ucx !== undefined && ucx.transport !== 'tcp',
    arenaBytes: options.arenaBytes,
    hugepages: options.hugepages,
    requestsMax,
    spinNs: (ucx?.spinUs ?? 0) * 1e3,
    deviceName: ucx?.deviceName ?? 'auto',
    rails: ucx?.rails ?? [],
    tls: ucx?.tls ?? 'auto',
    isIpv6: ucx?.isIpv6 ?? false,
    isGuarded: true,
    handshakeTimeoutNs: (ucx?.connectionBounds?.handshakeTimeoutMs ?? 0) * 1e6,
    pendingPerAddressMax: ucx?.connectionBounds?.pendingPerAddressMax ?? 0,
    dirs: inproc?.dirs ?? [],
    idxDirs: inproc?.idxDirs ?? [],
    unconfirmed: inproc?.unconfirmed ?? false,
    confirmIntervalNs: (inproc?.confirmIntervalMs ?? 1000) * 1e6,
    ioThreads: inproc?.ioThreads ?? 2,
    simulatedLatencyNs: (inproc?.simulatedLatencyUs ?? 0) * 1e3,
  };
}
