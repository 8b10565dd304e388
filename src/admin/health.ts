/** Snapshots → what /health and /readyz say. Pure. */

import type { UnannouncedStatus } from '../proxy/fleet/fleet-status.ts';
import type { SidecarStatus } from '../proxy/sidecar/sidecar-status.ts';
import type { ConnectionsStatus } from '../rdma/connections-status.ts';
import type { RailStatus } from '../rdma/rails/rail-status.ts';
import type { HealthCheck, Verdict } from './check.ts';
import { type ConfigurationStatus, configurationCheck } from './configuration.ts';
import type { RequestTotals } from './metrics/proxy-ledger.ts';
import type { Health } from './stats.ts';
import type {
  ArenaStatus,
  ProxyStatus,
  TargetRoleStatus,
  TargetStatus,
  UcxTcpStatus,
} from './status.ts';

export interface Readiness {
  readonly isReady: boolean;
  readonly detail: string;
}

export function proxyHealth(status: ProxyStatus, totals: RequestTotals): Health {
  const checks = new Map<string, HealthCheck>([['listener', clientListenerCheck(status)]]);
  const isUpCount = status.targets.filter(isUp).length;
  const isAnyAnswering = status.targets.some(({ upstream }) => upstream.kind !== 'down');
  for (const target of status.targets) {
    checks.set(`upstream ${target.upstreamUrl}`, upstreamCheck(target, isAnyAnswering));
    if (target.state !== undefined) checks.set(`target ${target.address}`, targetCheck(target));
    if (target.rails !== undefined) checks.set(`rails ${target.address}`, railsCheck(target.rails));
  }
  if (status.fabricFailure !== undefined) {
    checks.set('fabric', { status: 'degraded', detail: status.fabricFailure });
  }
  if (status.mode === 'require' && isUpCount === 0) {
    checks.set('fabric', { status: 'down', detail: 'mode = "require" and no target is up' });
  }
  if (status.ucxTcp !== undefined) checks.set('ucx-tcp', ucxTcpCheck(status.ucxTcp));
  if (status.fabricConnections !== undefined) {
    checks.set('connections', connectionsCheck(status.fabricConnections, 'this proxy'));
  }
  if (status.arena !== undefined) checks.set('arena', arenaCheck(status.arena));
  if (status.targets.some(({ state }) => state !== undefined)) {
    checks.set('volumes', unannouncedCheck(status.unannounced));
  }
  checks.set('fallback', fallbackCheck(status, totals));
  checks.set('cache', cacheCheck(status));
  if (status.sidecar !== undefined) checks.set('sidecar', sidecarCheck(status.sidecar));
  const byName = {
    ...Object.fromEntries(checks),
    ...sharedMemoryChecks(status),
    ...configurationChecks(status),
  };
  return { status: worst(byName), checks: byName };
}

/** A target that is down makes the proxy slower, not unready, unless HTTP is forbidden. */
export function proxyReadiness(status: ProxyStatus): Readiness {
  if (status.isDraining) return { isReady: false, detail: 'draining' };
  if (!status.isListening) return { isReady: false, detail: 'not listening' };
  if (status.mode === 'require' && !status.targets.some(isUp)) {
    return { isReady: false, detail: 'mode = "require" and no target is up' };
  }
  return { isReady: true, detail: 'listening' };
}

export function targetHealth(status: TargetRoleStatus): Health {
  const checks = {
    listener: listenerCheck(status),
    connections: connectionsCheck(status.connections, 'the target'),
    'ucx-tcp': ucxTcpCheck(status.ucxTcp),
    confirmation: confirmationCheck(status),
    volumes: volumesCheck(status),
    arena: arenaCheck(status.arena),
    ...descriptorChecks(status),
    ...sharedMemoryChecks(status),
    ...configurationChecks(status),
  };
  return { status: worst(checks), checks };
}

export function targetReadiness(status: TargetRoleStatus): Readiness {
  if (status.isDraining) return { isReady: false, detail: 'draining' };
  if (!status.isListening) return { isReady: false, detail: 'not listening' };
  const { confirmation } = status;
  if (confirmation !== undefined && !confirmation.isOk) {
    return {
      isReady: false,
      detail: `the volume server is not confirmed: ${confirmation.failure}`,
    };
  }
  return { isReady: true, detail: 'listening' };
}

function listenerCheck(status: { isListening: boolean; isDraining: boolean }): HealthCheck {
  if (status.isDraining) return { status: 'down', detail: 'draining' };
  if (!status.isListening) return { status: 'down', detail: 'not listening' };
  return { status: 'ok', detail: 'listening' };
}

function clientListenerCheck(status: ProxyStatus): HealthCheck {
  const check = listenerCheck(status);
  const { connections, connectionsMax, front } = status;
  const facts = { connections, connectionsMax, refused: front.connectionsRefused };
  if (check.status !== 'ok' || connections < connectionsMax) return { ...check, ...facts };
  const detail = `all ${connectionsMax} connections of limits.connections are open: more take the place of those without a request under way, or are refused`;
  return { status: 'degraded', detail, ...facts };
}

function isUp(target: TargetStatus): boolean {
  return target.state?.kind === 'up';
}

/** Without a volume server every read fails: nothing is answered from files that their server does not confirm. */
function upstreamCheck(target: TargetStatus, isAnyAnswering: boolean): HealthCheck {
  const { upstream } = target;
  const facts = { server: target.server ?? null, auth: target.auth };
  switch (upstream.kind) {
    case 'up':
      return { status: 'ok', detail: 'answers', ...facts };
    case 'unknown':
      return { status: 'degraded', detail: 'not asked yet', ...facts };
    case 'strange':
      return { status: 'degraded', detail: upstream.detail, ...facts };
    case 'down': {
      const status = isAnyAnswering ? 'degraded' : 'down';
      return { status, detail: `does not answer: ${upstream.detail}`, ...facts };
    }
  }
}

function targetCheck(target: TargetStatus): HealthCheck {
  const facts = {
    state: target.state?.kind,
    breaker: target.breaker,
    volumes: target.volumes,
    volumesConfirmed: target.volumesConfirmed,
  };
  switch (target.state?.kind) {
    case 'up': {
      const detail = `up over ${target.state.transport}`;
      const transport = target.state.transport;
      const status = target.breaker === 'closed' ? 'ok' : 'degraded';
      return { status, detail, transport, ...facts };
    }
    case 'down':
      return {
        status: 'degraded',
        detail: `down: ${target.state.status}, ${target.state.detail}`,
        ...facts,
      };
    default:
      return { status: 'degraded', detail: 'connecting', ...facts };
  }
}

/** Names the rails that carry nothing. A fallback that does is named, too: UCX does not work. */
function railsCheck(rails: readonly RailStatus[]): HealthCheck {
  const carries = ({ state }: RailStatus): boolean => state === 'admitted' || state === 'trial';
  const out = rails.filter((rail) => !carries(rail));
  const carrying = rails.filter(carries);
  const isFallbackAlone = carrying.length > 0 && carrying.every(({ isFallback }) => isFallback);
  const faults = out.map(({ name, state, reason }) => `${name} is ${state}: ${reason}`);
  if (isFallbackAlone) faults.push('no rail over UCX carries traffic');
  const detail =
    faults.length > 0 ? faults.join('; ') : `${rails.map(({ name }) => name).join(', ')} are up`;
  return { status: faults.length > 0 ? 'degraded' : 'ok', detail, rails };
}

function unannouncedCheck(unannounced: UnannouncedStatus): HealthCheck {
  if (unannounced.count === 0) {
    return { status: 'ok', detail: 'a target announces every volume that is read' };
  }
  const { count, first, reads } = unannounced;
  const ids = `${first.join(', ')}${count > first.length ? ` and ${count - first.length} more` : ''}`;
  return {
    status: 'degraded',
    detail: `no target announces these volumes, which clients read and their volume server has: ${ids}; ${reads} reads were forwarded (unknown-volume): look at the check "volumes" of the target's /health`,
    ...unannounced,
  };
}

function arenaCheck(arena: ArenaStatus): HealthCheck {
  const detail =
    arena.leaseLeaks === 0
      ? `${arena.pageKind} pages`
      : `${arena.leaseLeaks} leases were forgotten and found by the finalizer`;
  return { status: arena.leaseLeaks === 0 ? 'ok' : 'degraded', detail, ...arena };
}

function cacheCheck({ cache }: ProxyStatus): HealthCheck {
  if (cache.bytesMax === 0) return { status: 'ok', detail: 'off: every read asks the target' };
  const { hits, misses } = cache;
  const asked = hits + misses;
  const share = asked === 0 ? 'not asked yet' : `${((100 * hits) / asked).toFixed(1)} % hits`;
  return { status: 'ok', detail: `${cache.needles} needles, ${share}`, ...cache };
}

function sidecarCheck({
  address,
  isDraining,
  requests,
  connections,
  temp,
}: SidecarStatus): HealthCheck {
  const served = requests.reduce((sum, { count }) => sum + count, 0);
  const detail = isDraining ? 'draining' : 'listening';
  return {
    status: isDraining ? 'down' : 'ok',
    detail,
    address,
    requests: served,
    connections,
    tempFiles: temp?.files ?? 0,
  };
}

/** Says how much of the traffic the volume server answered, and why. */
function fallbackCheck(status: ProxyStatus, totals: RequestTotals): HealthCheck {
  const { cache, rdma, passthrough, error } = totals.outcomes;
  const detail = `mode ${status.mode}: ${cache + rdma} answered here, ${passthrough} passed, ${error} failed`;
  const { requests, transports, errors } = totals;
  return { status: 'ok', detail, requests, transports, passthrough: totals.passthrough, errors };
}

function confirmationCheck({ confirmation }: TargetRoleStatus): HealthCheck {
  if (confirmation === undefined) {
    return {
      status: 'ok',
      detail: 'unconfirmed = true: volumes are served without asking a server',
    };
  }
  const { url, ageMs, failure } = confirmation;
  const facts = { url, ageMs: ageMs ?? null };
  if (confirmation.isOk) return { status: 'ok', detail: 'the volume server confirms', ...facts };
  return { status: 'degraded', detail: failure === '' ? 'not asked yet' : failure, ...facts };
}

/**
 * Gives no verdict: the operator gave it with `rdma.ucx_tcp_trusted_network`. The check still names the ports that rest
 * on it.
 */
function ucxTcpCheck({ devices, exposed, guardFault }: UcxTcpStatus): HealthCheck {
  const isBeyondLoopback = exposed.length > 0;
  const facts = { devices, exposed, isBeyondLoopback };
  if (!isBeyondLoopback) {
    return { status: 'ok', detail: 'UCX has no TCP port beyond loopback', ...facts };
  }
  const who =
    guardFault === undefined ? 'an admitted host' : `every host that reaches them (${guardFault})`;
  return {
    status: guardFault === undefined ? 'ok' : 'degraded',
    detail: `UCX has TCP ports on ${exposed.join(', ')}: ${who} can write into this process`,
    ...facts,
  };
}

/**
 * Share of the descriptors beyond which an operator should look: UCX closes its port for good when there are none left.
 */
const descriptorShareMax = 0.8;

function connectionsCheck(connections: ConnectionsStatus, role: string): HealthCheck {
  const { descriptors, descriptorsMax, waiting, lostPorts } = connections;
  if (lostPorts > 0) {
    const detail = `UCX has closed ${lostPorts} of its TCP ports, since no descriptor was left to accept with: sessions may fail until ${role} is started anew`;
    return { status: 'degraded', detail, ...connections };
  }
  const isNear = descriptors > descriptorsMax * descriptorShareMax;
  const detail = isNear
    ? `${descriptors} of ${descriptorsMax} descriptors are open, ${waiting} by connections that have not said who they are`
    : `${waiting} wait for their peer to say who it is`;
  return { status: isNear ? 'degraded' : 'ok', detail, ...connections };
}

function volumesCheck(status: TargetRoleStatus): HealthCheck {
  const { volumesLoaded: loaded, volumesConfirmed: confirmed, needles } = status;
  const facts = { loaded, confirmed, needles };
  const { coverage } = status;
  if (coverage === undefined) {
    const detail = `${confirmed} of ${loaded} volumes are served`;
    return { status: loaded > 0 && confirmed === 0 ? 'degraded' : 'ok', detail, ...facts };
  }
  const { listed, served, missing, unserved, overdue, serverDirs, detail } = coverage;
  return {
    status: overdue > 0 || (loaded > 0 && confirmed === 0) ? 'degraded' : 'ok',
    detail,
    ...facts,
    listed,
    served,
    missing: missing.first,
    unserved: unserved.first,
    serverDirs,
  };
}

function descriptorChecks({
  descriptorShortage,
}: TargetRoleStatus): Readonly<Record<string, HealthCheck>> {
  if (descriptorShortage === undefined) return {};
  return { descriptors: { status: 'degraded', detail: descriptorShortage } };
}

function sharedMemoryChecks({
  shmLoss,
}: {
  readonly shmLoss?: string | undefined;
}): Readonly<Record<string, HealthCheck>> {
  if (shmLoss === undefined) return {};
  const detail = `UCX goes on without it: ${shmLoss}`;
  return { 'shared-memory': { status: 'degraded', detail } };
}

function configurationChecks(status: {
  readonly configuration?: ConfigurationStatus | undefined;
}): Readonly<Record<string, HealthCheck>> {
  const { configuration } = status;
  return configuration === undefined ? {} : { configuration: configurationCheck(configuration) };
}

function worst(checks: Readonly<Record<string, HealthCheck>>): Verdict {
  const verdicts = Object.values(checks).map((check) => check.status);
  if (verdicts.includes('down')) return 'down';
  return verdicts.includes('degraded') ? 'degraded' : 'ok';
}
