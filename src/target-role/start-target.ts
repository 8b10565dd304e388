/** The target role: host, confirmation poller and admin listener, assembled and taken down in order. */
import { lookup } from 'node:dns/promises';
import type { AdminPlace } from '../admin/admin-options.ts';
import { type RunningAdmin, startAdmin } from '../admin/admin-server.ts';
import type { ConfigurationStatus } from '../admin/configuration.ts';
import { targetHealth, targetReadiness } from '../admin/health.ts';
import { createTargetMetrics } from '../admin/metrics/target-metrics.ts';
import type { TargetRoleStatus } from '../admin/status.ts';
import { ConnectionWatch } from '../rdma/connection-watch.ts';
import type { Secret } from '../rdma/secret.ts';
import { logShmLoss } from '../rdma/shared-memory.ts';
import { type SessionEvent, startTargetHost, type TargetHost } from '../rdma/target-host.ts';
import { listenFault, logAddressFaults } from '../rdma/ucx-addresses.ts';
import {
  devicesToListen,
  logDevices,
  logGuardFault,
  logTransport,
  refuseExposed,
  resolveTransport,
  type TransportChoice,
  type UcxDevices,
} from '../rdma/ucx-devices.ts';
import { type Confirmation, startConfirmation } from '../volume-server/confirmation.ts';
import { DescriptorWatch } from './descriptor-watch.ts';
import { VolumeCoverage } from './volume-coverage.ts';

export interface TargetOptions {
  readonly version: string;
  /** Takes control connections. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Where UCX listens for those that are admitted; 0, the default: any free port. */
  readonly ucxPort?: number;
  readonly deviceName: string;
  readonly keepsDevice?: boolean;
  readonly tls: string;
  readonly isNetworkTrusted: boolean;
  readonly transport: TransportChoice;
  /** Sessions over TCP go without TLS, as they do without a secret. */
  readonly isTlsOff: boolean;
  readonly maxSessions: number;
  /** Under way at a time: of all sessions, and of one. */
  readonly maxRequests: number;
  readonly maxRequestsPerSession: number;
  /** RLIMIT_NOFILE, for what is said where it is reached. */
  readonly descriptorLimit: number;
  readonly sessionTimeoutMs: number;
  /** For a connection to become a session. */
  readonly handshakeTimeoutMs: number;
  /** Connections of one address that are no session yet. */
  readonly pendingPerAddressMax: number;
  readonly bufferBytes: number;
  /** A read waits this long for memory. */
  readonly bufferWaitMs: number;
  readonly ioThreads: number;
  readonly hugepages: 'try' | 'require' | 'off';
  /** Without one every proxy is served. */
  readonly secret: Secret;
  readonly dirs: readonly string[];
  readonly idxDirs: readonly string[];
  /** undefined: volumes are served without asking a volume server. */
  readonly volumeServerUrl: string | undefined;
  readonly confirmEveryMs: number;
  readonly admin: AdminPlace;
  /** For /stats, /health and the metrics. */
  readonly configuration?: () => ConfigurationStatus;
  /** Called for each session within `confirmEveryMs`, or a second where no poll confirms volumes. */
  readonly onSession?: (event: SessionEvent) => void;
  /** Called when connections were ended that did not become sessions in time. */
  readonly onConnectionsEnded?: (ended: number, waiting: number) => void;
}

const lookEveryMs = 1_000;

/** A log with pino's arguments: the fields, then the message. */
export interface TargetLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface RunningTarget {
  /** host:port that proxies connect to. */
  readonly address: string;
  readonly adminAddress: string;
  status(): TargetRoleStatus;
  /** Sessions that begin from now on may be proved by what `secret` gives now. */
  secretChanged(): void;
  /** No new sessions; requests in flight are finished within `drainMs`. Idempotent. */
  close(drainMs: number): Promise<void>;
}

/** Throws RdmaUnavailableError or a system error when something cannot be had; nothing is left behind then. */
export async function startTarget(
  options: TargetOptions,
  logger: TargetLogger,
): Promise<RunningTarget> {
  const { address: host } = await lookup(options.listen.host);
  const found = options.transport === 'tcp' ? noDevices : devicesToListen(options, host);
  const transport = resolveTransport(options.transport, found, options.isNetworkTrusted);
  const devices = transport === 'ucx' ? found : noDevices;
  if (transport === 'ucx') sayUcx(devices, options, { host, logger });
  logTransport(logger, transport);
  const target = await startTargetHost({
    ...options,
    transport,
    deviceName: devices.deviceName,
    host,
    port: options.listen.port,
    arenaBytes: options.bufferBytes,
    unconfirmed: options.volumeServerUrl === undefined,
    confirmIntervalMs: options.confirmEveryMs,
    memoryWaitMs: options.bufferWaitMs,
    sessionsMax: options.maxSessions,
    requestsMax: options.maxRequests,
    requestsPerSessionMax: options.maxRequestsPerSession,
  });
  logShmLoss(logger, target.shmLoss);
  logGuardFault(logger, target.guardFault);
  const role = new TargetRole(target, devices, options, logger);
  try {
    await role.openAdmin(options);
  } catch (error) {
    await role.close(0);
    throw error;
  }
  return role;
}

const noDevices: UcxDevices = { deviceName: 'none', exposed: [] };

/** @throws RdmaUnavailableError: see refuseExposed */
function sayUcx(
  devices: UcxDevices,
  options: TargetOptions,
  { host, logger }: { readonly host: string; readonly logger: TargetLogger },
): void {
  refuseExposed(devices, options.isNetworkTrusted);
  logDevices(logger, devices);
  logAddressFaults(logger, [listenFault(options, host)]);
}

function coverageOf(
  { dirs }: TargetOptions,
  target: TargetHost,
  logger: TargetLogger,
): VolumeCoverage {
  return new VolumeCoverage({
    dirs,
    volumes: () => target.volumes(),
    onChange({ isOk, status: { listed, served, missing, unserved, detail } }) {
      const event = isOk ? 'volumes-served' : 'volumes-missing';
      const fields = { event, listed, served, detail };
      if (isOk) {
        logger.info(fields, 'the target serves the volumes of its volume server');
        return;
      }
      const ids = { missing: missing.first, unserved: unserved.first };
      logger.warn(
        { ...fields, ...ids },
        'the target does not serve all volumes of its volume server: their reads are forwarded',
      );
    },
  });
}

function confirmationOf(
  { volumeServerUrl, confirmEveryMs }: TargetOptions,
  target: TargetHost,
  coverage: VolumeCoverage,
  logger: TargetLogger,
  onPolled: () => void,
): Confirmation | undefined {
  if (volumeServerUrl === undefined) {
    logger.warn(
      { event: 'unconfirmed' },
      'volumes are served without asking a volume server: an unmounted volume is served until its files are gone',
    );
    return undefined;
  }
  const confirmation = startConfirmation({
    volumeServerUrl,
    intervalMs: confirmEveryMs,
    onServed: (startedAgoMs, volumes) => target.confirm(startedAgoMs, volumes),
    onListed: (list) => coverage.listed(list),
    onPolled,
    onChange({ isOk, detail }) {
      const fields = { event: isOk ? 'confirmed' : 'unconfirmed', url: volumeServerUrl, detail };
      if (isOk) logger.info(fields, 'the volume server confirms its volumes');
      else logger.warn(fields, 'the volume server does not confirm its volumes');
    },
  });
  // A proxy has seen a volume being written to that is too new for the last poll.
  target.onPollWanted(() => confirmation.pollSoon());
  return confirmation;
}

class TargetRole implements RunningTarget {
  readonly address: string;
  readonly #target: TargetHost;
  readonly #devices: UcxDevices;
  readonly #connections: ConnectionWatch;
  readonly #coverage: VolumeCoverage;
  readonly #confirmation: Confirmation | undefined;
  readonly #configuration: TargetOptions['configuration'];
  readonly #onSession: TargetOptions['onSession'];
  readonly #descriptors: DescriptorWatch;
  /** Where there is no poll to look with. */
  readonly #lookTimer: NodeJS.Timeout | undefined;
  #admin: RunningAdmin | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    target: TargetHost,
    devices: UcxDevices,
    options: TargetOptions,
    logger: TargetLogger,
  ) {
    this.address = target.address;
    this.#target = target;
    this.#devices = devices;
    this.#configuration = options.configuration;
    this.#onSession = options.onSession;
    this.#connections = new ConnectionWatch({
      handshakeTimeoutMs: options.handshakeTimeoutMs,
      descriptorsMax: options.descriptorLimit,
      look: () => target.lookAtConnections(),
      onEnded: (ended, waiting) => options.onConnectionsEnded?.(ended, waiting),
    });
    this.#coverage = coverageOf(options, target, logger);
    this.#descriptors = new DescriptorWatch(
      () => ({
        limit: options.descriptorLimit,
        volumes: target.volumes().length,
        without: target.stats().engine.volumesWithoutDescriptors,
        sessionsMax: options.maxSessions,
      }),
      logger,
    );
    this.#confirmation = confirmationOf(options, target, this.#coverage, logger, this.#look);
    if (this.#confirmation !== undefined) return;
    this.#lookTimer = setInterval(this.#look, lookEveryMs).unref();
  }

  readonly #look = (): void => {
    this.#descriptors.look();
    const onSession = this.#onSession;
    if (onSession === undefined) return;
    for (const event of this.#target.takeSessionEvents()) onSession(event);
  };

  secretChanged(): void {
    this.#target.secretChanged();
  }

  get adminAddress(): string {
    return this.#admin?.address ?? '';
  }

  async openAdmin({ version, admin }: TargetOptions): Promise<void> {
    const metrics = createTargetMetrics(version, () => this.status());
    this.#admin = await startAdmin({
      ...admin,
      role: 'target',
      version,
      health: () => targetHealth(this.status()),
      readiness: () => targetReadiness(this.status()),
      stats: () => ({ ...this.status(), listed: this.#target.volumes() }),
      metrics: () => metrics.expose(),
    });
  }

  status(): TargetRoleStatus {
    const { engine, ...stats } = this.#target.stats();
    return {
      shmLoss: this.#target.shmLoss?.reason,
      isListening: this.#closing === undefined,
      isDraining: this.#closing !== undefined,
      sessions: stats.sessionsActive,
      sessionsPending: stats.sessionsPending,
      sessionsTotal: stats.sessionsTotal,
      sessionsRefused: stats.sessionsRefused,
      sessionsLost: stats.sessionsLost,
      connections: this.#connections.snapshot(),
      ucxTcp: {
        devices: this.#devices.deviceName,
        exposed: this.#devices.exposed,
        guardFault: this.#target.guardFault,
      },
      bytesSent: stats.bytesSent,
      bytesReceived: stats.bytesReceived,
      reads: stats.readsByStatus,
      validations: stats.validations,
      volumeLeases: stats.volumeLeases,
      changesPushed: stats.changesPushed,
      requestsInFlight: stats.requestsInFlight,
      volumesLoaded: engine.volumesLoaded,
      descriptorShortage: this.#descriptors.shortage(),
      volumesConfirmed: engine.volumesConfirmed,
      needles: engine.needles,
      mapBytes: engine.mapBytes,
      readsWaiting: engine.readsWaiting,
      readsCached: engine.readsCached,
      readsDisk: engine.readsDisk,
      corrupt: engine.corrupt,
      reloads: engine.reloads,
      arena: {
        pageKind: stats.pageKind,
        bytesTotal: stats.arenaBytesTotal,
        bytesLeased: stats.arenaBytesLeased,
        leasesOutstanding: stats.leasesOutstanding,
        leaseLeaks: 0, // leases of the target are native and move-only
        refusals: stats.arenaRefusals,
      },
      confirmation: this.#confirmation?.snapshot(),
      coverage: this.#coverage.snapshot(),
      configuration: this.#configuration?.(),
    };
  }

  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  /** The admin listener goes last: /readyz says "draining" until there is nothing left to drain. */
  async #close(drainMs: number): Promise<void> {
    clearInterval(this.#lookTimer);
    this.#connections.close();
    this.#look();
    await this.#target.stop(drainMs);
    this.#confirmation?.close();
    await this.#admin?.close();
  }
}
