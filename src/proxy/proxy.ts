/** The proxy role, assembled: targets and what they tell, the corridor, the HTTP side, the admin listener. No logic. */

import type { Logger } from 'pino';
import { type RunningAdmin, startAdmin } from '../admin/admin-server.ts';
import { proxyHealth, proxyReadiness } from '../admin/health.ts';
import { createProxyMetrics, type ProxyMetrics } from '../admin/metrics/proxy-metrics.ts';
import type { ProxyStatus } from '../admin/status.ts';
import { TrafficWatch } from '../admin/traffic/traffic-watch.ts';
import { CacheMemory } from '../rdma/cache-memory.ts';
import type { ConnectionWatch } from '../rdma/connection-watch.ts';
import { RdmaUnavailableError } from '../rdma/errors.ts';
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';
import { RailsFetcher } from '../rdma/rails/rails-fetcher.ts';
import { createRdmaClient, type RdmaClient } from '../rdma/rdma-client.ts';
import { logShmLoss } from '../rdma/shared-memory.ts';
import { logDevices, logGuardFault, type UcxDevices, type UcxReach } from '../rdma/ucx-devices.ts';
import type { Confirmation } from '../volume-server/confirmation.ts';
import { Adjustable } from './adjustable.ts';
import { proxyActions } from './admin-actions.ts';
import { NeedleCache } from './cache/needle-cache.ts';
import { TokenMemory } from './cache/token-memory.ts';
import { ttlMarginMs } from './corridor/needle-attempt.ts';
import { createNeedleRoute } from './corridor/needle-route.ts';
import {
  clientOptions,
  fabricDevices,
  fetcherTo,
  watchFabricConnections,
} from './fabric-client.ts';
import { firstAnswers } from './fleet/first-answers.ts';
import { LearnedFacts } from './fleet/learned-facts.ts';
import { ServerLists } from './fleet/server-lists.ts';
import { TargetDirectory, targetEntry } from './fleet/target-directory.ts';
import { askToLook, UnannouncedVolumes } from './fleet/unannounced-volumes.ts';
import type { UpstreamProbe } from './fleet/upstream-probe.ts';
import { VolumeOwners } from './fleet/volume-owners.ts';
import { watchBreaker } from './fleet/watched-breaker.ts';
import { watchRails } from './fleet/watched-rails.ts';
import { watchTarget } from './fleet/watched-target.ts';
import { probeTimeoutMs, watchUpstream } from './fleet/watched-upstream.ts';
import { newFrontCounters } from './front/front-counters.ts';
import { type HttpFront, startHttpFront } from './front/server.ts';
import { startInprocConfirmation } from './inproc-confirmation.ts';
import type { Lanes } from './lanes/lanes.ts';
import { forwarders } from './passthrough/forwarders.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { RunningSidecar } from './sidecar/sidecar-server.ts';
import { startSidecarListener } from './sidecar-listener.ts';
import { startLanes } from './started-lanes.ts';
import { targetStatus } from './target-status.ts';

export interface RunningProxy {
  /** host:port or unix:/path, as bound. */
  readonly address: string;
  readonly adminAddress: string;
  /** '' without `sidecar`. */
  readonly sidecarAddress: string;
  /** Resolves when every volume server and target has answered once, or has had its time. */
  readonly settled: Promise<void>;
  status(): ProxyStatus;
  readonly adjust: Adjustable['adjust'];
  /** Listener closed, requests finished within `drainMs`, leases home, sessions said GOODBYE. Idempotent. */
  close(drainMs: number): Promise<void>;
}

function ucxTcpOf(
  client: RdmaClient | undefined,
  devices: UcxDevices | undefined,
): ProxyStatus['ucxTcp'] {
  if (client === undefined || devices === undefined) return undefined;
  const { deviceName, exposed } = devices;
  return { devices: deviceName, exposed, guardFault: client.guardFault };
}

/** undefined: nothing is fetched that could be kept. */
function cacheMemoryOf(
  { cache: { bytesMax: bytes }, memory: { hugepages } }: ProxyOptions,
  client: RdmaClient | undefined,
): CacheMemory | undefined {
  return client === undefined || bytes === 0 ? undefined : new CacheMemory({ bytes, hugepages });
}

/** A second VALIDATE under way per target only splits the groups (docs/measurements/cache.md). */
const validationsMaxDefault = 1;
/** Counters while there is no listener. */
const noFront = newFrontCounters();

/** Throws RdmaUnavailableError or a system error when something cannot be had; nothing is left behind then. */
export async function startProxy(options: ProxyOptions, logger: Logger): Promise<RunningProxy> {
  const role = new ProxyRole(options, logger, await fabricDevices(options, logger));
  try {
    await role.open();
  } catch (error) {
    await role.close(0);
    throw error;
  }
  return role;
}

class ProxyRole implements RunningProxy {
  readonly #options: ProxyOptions;
  readonly #logger: Logger;
  readonly #devices: UcxReach | undefined;
  readonly #fabricConnections: ConnectionWatch | undefined;
  readonly #metrics: ProxyMetrics;
  readonly #traffic: TrafficWatch;
  readonly #client: RdmaClient | undefined;
  readonly #directory: TargetDirectory;
  readonly #cache: NeedleCache;
  readonly #cacheMemory: CacheMemory | undefined;
  readonly #lists: ServerLists;
  readonly #unannounced: UnannouncedVolumes;
  readonly #owners: VolumeOwners | undefined;
  readonly #probes: readonly UpstreamProbe[];
  readonly #keepAlives: NodeJS.Timeout[] = [];
  readonly #adjustable: Adjustable;
  readonly adjust: Adjustable['adjust'] = (adjustment) => this.#adjustable.adjust(adjustment);
  readonly #settled: PromiseWithResolvers<void> = Promise.withResolvers();
  #fabricFailure: string | undefined;
  #confirmation: Confirmation | undefined;
  #front: HttpFront | undefined;
  #lanes: Lanes | undefined;
  #sidecar: RunningSidecar | undefined;
  #admin: RunningAdmin | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ProxyOptions, logger: Logger, devices: UcxReach | undefined) {
    this.#options = options;
    this.#logger = logger;
    this.#devices = devices;
    if (devices !== undefined) logDevices(logger, devices);
    this.#adjustable = new Adjustable(options.http);
    this.#metrics = createProxyMetrics(options.version);
    this.#metrics.watch(() => this.status());
    this.#client = this.#createClient();
    this.#fabricConnections = watchFabricConnections(this.#client, options, logger);
    const entries = options.volumeServers.map(({ url, target, targetAddresses = [] }) =>
      targetEntry(
        url,
        this.#fetcherOf(target, targetAddresses),
        new LearnedFacts(),
        options.rdma.hedging,
      ),
    );
    this.#directory = new TargetDirectory(entries);
    this.#lists = new ServerLists(entries.map(({ upstreamUrl }) => upstreamUrl));
    this.#unannounced = new UnannouncedVolumes({
      lists: this.#lists,
      isServed: (volumeId) => this.#directory.best(volumeId)?.confirmed === true,
      hint: (volumeIds) => {
        this.#confirmation?.pollSoon();
        askToLook(this.#directory, volumeIds, options.rdma.timeoutMs);
      },
    });
    this.#traffic = new TrafficWatch(this.#unannounced.observe);
    this.#owners = entries.length > 1 ? new VolumeOwners(this.#directory) : undefined;
    const onUp = (): void => this.#owners?.refresh();
    for (const entry of entries) watchBreaker(entry, logger);
    this.#probes = entries.map((entry) => watchUpstream(entry, logger, onUp));
    this.#cacheMemory = cacheMemoryOf(options, this.#client);
    this.#cache = new NeedleCache({
      ...options.cache,
      decodingBytesMax: options.decodingBytesMax,
      timeoutMs: options.rdma.timeoutMs,
      validationsMax: options.cache.validationsMax ?? validationsMaxDefault,
      ttlMarginMs,
      memory: this.#cacheMemory,
      onValidationWait: this.#metrics.ledger.validationWaited,
      onRoundTrip: this.#directory.tellBreaker,
    });
  }

  get address(): string {
    if (this.#front === undefined) return '';
    const { address, port } = this.#front;
    if (port === 0) return `unix:${address}`;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  get adminAddress(): string {
    return this.#admin?.address ?? '';
  }

  get sidecarAddress(): string {
    return this.#sidecar?.address ?? '';
  }

  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Clients are served at once, over HTTP where a target is not there yet. */
  async open(): Promise<void> {
    const { http, admin, version } = this.#options;
    if (this.#client?.kind === 'inproc') {
      const { upstreamUrl } = this.#directory.first;
      this.#confirmation = startInprocConfirmation(this.#client, upstreamUrl, this.#logger);
    }
    this.#admin = await startAdmin({
      ...admin,
      role: 'proxy',
      version,
      health: () => proxyHealth(this.status(), this.#metrics.ledger.totals()),
      readiness: () => proxyReadiness(this.status()),
      stats: () => ({
        ...this.status(),
        requests: this.#metrics.ledger.totals(),
        clients: this.#traffic.tables.status(),
      }),
      metrics: () => {
        this.#lanes?.collect();
        return this.#metrics.expose();
      },
      proxy: proxyActions(this.#cache, this.#traffic, () => this.#front),
    });
    const route = createNeedleRoute(
      Object.assign(this.#adjustable.policy, {
        mode: this.#options.rdma.mode,
        needleBytesMax: this.#options.needleBytesMax,
        decodedBytesMax: this.#options.decodedBytesMax,
        timeoutMs: this.#options.rdma.timeoutMs,
        readKey: this.#options.readKey,
        tokens: new TokenMemory(this.#options.tokensMax ?? 0),
      }),
      this.#directory,
      this.#cache,
      this.#owners,
    );
    const { watch } = this.#options;
    // Nothing is kept without a cache, and nothing fetched without the native part.
    if (http.lanes > 0 && this.#client !== undefined && this.#options.cache.bytesMax > 0) {
      this.#lanes = startLanes({
        count: http.lanes,
        askersMin: http.laneAskersMin,
        hasDebugHeaders: () => this.#front?.debugHeaders ?? http.debugHeaders,
        limits: this.#adjustable.limits,
        cache: this.#cache,
        route,
        ledger: this.#metrics.ledger,
        traffic: this.#traffic,
        watch,
        front: () => this.#front,
      });
      this.#adjustable.lanes = this.#lanes;
    }
    const front = {
      ...http,
      lanes: this.#lanes,
      limits: this.#adjustable.limits,
      logger: watch?.log ?? this.#logger,
      isTimed: watch?.isTimed ?? false,
    };
    const observers = [this.#metrics.ledger.observe, this.#traffic.observe];
    if (watch !== undefined) observers.push(watch.observe);
    this.#front = await startHttpFront(front, route, forwarders, ...observers);
    this.#adjustable.front = this.#front;
    void this.#settle();
    const { sidecar } = this.#options;
    if (sidecar === undefined) return;
    this.#sidecar = await startSidecarListener(sidecar, this.#options, this.#directory, {
      route,
      fabric: () => this.status(),
      observe: this.#metrics.ledger.observeSidecar,
      log: this.#logger,
    });
  }

  /** Takes what lanes have counted first. */
  status(): ProxyStatus {
    this.#lanes?.collect();
    const stats = this.#client?.stats();
    return {
      mode: this.#options.rdma.mode,
      fabricFailure: this.#fabricFailure,
      shmLoss: this.#client?.shmLoss?.reason,
      ucxTcp: ucxTcpOf(this.#client, this.#devices),
      fabricConnections: this.#fabricConnections?.snapshot(),
      isListening: this.#front !== undefined && this.#closing === undefined,
      isDraining: this.#closing !== undefined,
      connections: this.#front?.stats.connections ?? 0,
      connectionsMax: this.#adjustable.limits.connections,
      requestsInFlight: this.#front?.stats.requestsInFlight ?? 0,
      front: this.#front?.stats ?? noFront,
      upstreamPools: this.#front?.upstreamPools ?? [],
      fabric: {
        requestsInFlight: stats?.requestsInFlight ?? 0,
        lateReplies: stats?.lateReplies ?? 0,
      },
      logLinesSuppressed: this.#options.watch?.suppressedLines() ?? 0,
      targets: this.#directory.entries.map(targetStatus),
      unannounced: this.#unannounced.snapshot(),
      cache: this.#cache.stats(),
      lanes: this.#lanes?.status(),
      sidecar: this.#sidecar?.status(),
      arena: stats && {
        pageKind: stats.pageKind,
        bytesTotal: stats.arenaBytesTotal,
        bytesLeased: stats.arenaBytesUsed,
        leasesOutstanding: stats.leasesOutstanding,
        leaseLeaks: stats.leaseLeaks + (this.#cacheMemory?.stats().leaseLeaks ?? 0),
        refusals: stats.arenaRefusals,
      },
      configuration: this.#options.configuration?.(),
    };
  }

  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  /** The admin listener goes last: /readyz says "draining" until there is nothing left to drain. */
  async #close(drainMs: number): Promise<void> {
    await Promise.all([this.#front?.close(drainMs), this.#sidecar?.close(drainMs)]);
    for (const probe of this.#probes) probe.close();
    this.#owners?.close();
    for (const { breaker, hedging } of this.#directory.entries) {
      breaker.close();
      hedging?.close();
    }
    for (const keepAlive of this.#keepAlives) clearInterval(keepAlive);
    this.#unannounced.close();
    this.#lists.close();
    this.#confirmation?.close();
    this.#lanes?.close();
    this.#cache.close();
    this.#fabricConnections?.close();
    await this.#client?.close();
    await this.#admin?.close();
  }

  /** A machine without UCX keeps HTTP, unless that is forbidden; a configuration that cannot be met is an error. */
  #createClient(): RdmaClient | undefined {
    const { mode } = this.#options.rdma;
    if (mode === 'off') return undefined;
    try {
      const client = createRdmaClient(
        clientOptions(this.#options, this.#devices, this.#metrics.ledger.readEnded),
      );
      logShmLoss(this.#logger, client.shmLoss);
      logGuardFault(this.#logger, client.guardFault);
      return client;
    } catch (error) {
      const isOfMachine = error instanceof RdmaUnavailableError && error.fault === 'setup';
      if (mode === 'require' || !isOfMachine) throw error;
      this.#fabricFailure = error.message;
      const fields = { event: 'fabric-unavailable', code: error.code, detail: error.message };
      this.#logger.error(fields, 'no fast path on this machine: every read passes through');
      return undefined;
    }
  }

  #fetcherOf(target: string | undefined, addresses: readonly string[]): NeedleFetcher | undefined {
    const client = this.#client;
    if (client === undefined) return undefined;
    const { transport } = this.#options.rdma;
    if (transport === 'inproc') return this.#watched(client.inproc());
    if (target === undefined) return undefined;
    const fetcher = fetcherTo(
      client,
      [target, ...addresses],
      this.#options.rdma,
      this.#devices !== undefined,
    );
    if (fetcher instanceof RailsFetcher) watchRails(fetcher, this.#logger);
    return this.#watched(fetcher);
  }

  #watched(fetcher: NeedleFetcher): NeedleFetcher {
    this.#keepAlives.push(watchTarget(fetcher, this.#options.rdma.timeoutMs, this.#logger));
    return fetcher;
  }

  /** Says in the log what there is, once it is known. */
  async #settle(): Promise<void> {
    const { entries } = this.#directory;
    const timeoutMs = probeTimeoutMs + this.#options.rdma.connectTimeoutMs;
    const asked = [...this.#probes.map(({ first }) => first), this.#owners?.first];
    await firstAnswers(entries, asked, timeoutMs);
    this.#settled.resolve();
    if (this.#closing !== undefined) return;
    const { targets } = this.status();
    const fields = {
      event: 'settled',
      targets: targets.filter(({ state }) => state !== undefined).length,
      targets_up: targets.filter(({ state }) => state?.kind === 'up').length,
      upstreams: targets.length,
      upstreams_up: targets.filter(({ isUpstreamUp }) => isUpstreamUp).length,
    };
    this.#logger.info(fields, 'every volume server and target has answered or had its time');
  }
}
