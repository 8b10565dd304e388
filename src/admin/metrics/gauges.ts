/** Gauges, set from a snapshot at each scrape. */
import type { Gauge } from 'prom-client';
import { configurationGauges } from '../configuration.ts';
import type { ArenaStatus, ProxyStatus, TargetStatus } from '../status.ts';
import { type MetricSet, MirroredCounter } from './metric-set.ts';
import type { ProxyMetricName, TargetMetricName } from './metric-table.ts';

export function proxyGauges(set: MetricSet<ProxyMetricName>): (status: ProxyStatus) => void {
  const sessions = set.gauge('sessionsActive');
  const connections = set.gauge('connections');
  const requestsInFlight = set.gauge('requestsInFlight');
  const arena = arenaGauges(set);
  const configuration = configurationGauges(set);
  const targets = {
    targetUp: set.gauge('targetUp'),
    breakerOpen: set.gauge('breakerOpen'),
    upstreamUp: set.gauge('upstreamUp'),
    volumes: set.gauge('volumes'),
  };
  return (status) => {
    sessions.set(status.targets.filter((target) => target.state?.kind === 'up').length);
    connections.set(status.connections);
    requestsInFlight.set(status.requestsInFlight);
    arena(status.arena);
    configuration(status.configuration);
    for (const gauge of Object.values(targets)) gauge.reset();
    for (const target of status.targets) setTarget(targets, target);
  };
}

function setTarget(
  gauges: Readonly<Record<'targetUp' | 'breakerOpen' | 'upstreamUp' | 'volumes', Gauge>>,
  status: TargetStatus,
): void {
  gauges.upstreamUp.set({ upstream: status.upstreamUrl }, status.isUpstreamUp ? 1 : 0);
  if (status.state === undefined) return;
  const target = status.address;
  const transport = status.state.kind === 'up' ? status.state.transport : 'none';
  gauges.targetUp.set({ target, transport }, status.state.kind === 'up' ? 1 : 0);
  gauges.breakerOpen.set({ target }, status.breaker === 'closed' ? 0 : 1);
  gauges.volumes.set({ target, state: 'confirmed' }, status.volumesConfirmed);
  gauges.volumes.set({ target, state: 'unconfirmed' }, status.volumes - status.volumesConfirmed);
}

/** Gauges of the arena, alike in both roles. Without an arena (mode = "off") everything is 0. */
export function arenaGauges(
  set: MetricSet<ProxyMetricName> | MetricSet<TargetMetricName>,
): (arena: ArenaStatus | undefined) => void {
  const leases = set.gauge('leasesOutstanding');
  const leaks = new MirroredCounter(set.counter('leaseLeaks'));
  const bytes = set.gauge('arenaBytes');
  const refusals = new MirroredCounter(set.counter('arenaRefusals'));
  return (arena) => {
    const total = arena?.bytesTotal ?? 0;
    const leased = arena?.bytesLeased ?? 0;
    leases.set(arena?.leasesOutstanding ?? 0);
    leaks.set(arena?.leaseLeaks ?? 0);
    refusals.set(arena?.refusals ?? 0);
    bytes.set({ state: 'total' }, total);
    bytes.set({ state: 'leased' }, leased);
    bytes.set({ state: 'free' }, total - leased);
  };
}
