/** The target's metrics: all of them are counted natively and mirrored at each scrape. */

import { configurationGauges } from '../configuration.ts';
import type { TargetRoleStatus } from '../status.ts';
import { arenaGauges } from './gauges.ts';
import { type Exposition, MetricSet, MirroredCounter } from './metric-set.ts';
import { type TargetMetricName, targetMetricTable } from './metric-table.ts';

export interface TargetMetrics {
  expose(): Promise<Exposition>;
}

export function createTargetMetrics(
  version: string,
  status: () => TargetRoleStatus,
): TargetMetrics {
  const set = new MetricSet<TargetMetricName>(targetMetricTable);
  set.gauge('buildInfo').set({ version, node: process.version, role: 'target' }, 1);
  const configuration = configurationGauges(set);
  const refreshers = [
    trafficMetrics(set),
    volumeMetrics(set),
    confirmationMetrics(set),
    (status: TargetRoleStatus) => configuration(status.configuration),
  ];
  set.onScrape(() => {
    const now = status();
    for (const refresh of refreshers) refresh(now);
  });
  return { expose: () => set.expose() };
}

type Refresh = (status: TargetRoleStatus) => void;

function trafficMetrics(set: MetricSet<TargetMetricName>): Refresh {
  const sessions = set.gauge('sessionsActive');
  const sessionsPending = set.gauge('sessionsPending');
  const connectionsWaiting = set.gauge('connectionsWaiting');
  const connectionsEnded = new MirroredCounter(set.counter('connectionsEnded'));
  const sessionEvents = new MirroredCounter(set.counter('sessionsEnded'));
  const bytes = new MirroredCounter(set.counter('bytesTransferred'));
  const reads = new MirroredCounter(set.counter('reads'));
  const readSource = new MirroredCounter(set.counter('readSource'));
  const validations = new MirroredCounter(set.counter('validations'));
  const volumeLeases = set.gauge('volumeLeases');
  const changesPushed = new MirroredCounter(set.counter('changesPushed'));
  const requestsInFlight = set.gauge('requestsInFlight');
  const arena = arenaGauges(set);
  return (status) => {
    sessions.set(status.sessions);
    sessionsPending.set(status.sessionsPending);
    connectionsWaiting.set(status.connections.waiting);
    connectionsEnded.set(status.connections.ended);
    sessionEvents.set(status.sessionsTotal, { event: 'welcomed' });
    sessionEvents.set(status.sessionsRefused, { event: 'refused' });
    sessionEvents.set(status.sessionsLost, { event: 'lost' });
    bytes.set(status.bytesSent, { direction: 'tx' });
    bytes.set(status.bytesReceived, { direction: 'rx' });
    for (const [name, count] of Object.entries(status.reads)) reads.set(count, { status: name });
    readSource.set(status.readsCached, { source: 'page_cache' });
    readSource.set(status.readsDisk, { source: 'disk' });
    validations.set(status.validations);
    volumeLeases.set(status.volumeLeases);
    changesPushed.set(status.changesPushed);
    requestsInFlight.set(status.requestsInFlight);
    arena(status.arena);
  };
}

function volumeMetrics(set: MetricSet<TargetMetricName>): Refresh {
  const volumes = set.gauge('volumes');
  const listedVolumes = set.gauge('listedVolumes');
  const needles = set.gauge('needles');
  const mapBytes = set.gauge('mapBytes');
  const corrupt = new MirroredCounter(set.counter('corrupt'));
  const reloads = new MirroredCounter(set.counter('reloads'));
  return (status) => {
    volumes.set({ state: 'loaded' }, status.volumesLoaded);
    volumes.set({ state: 'confirmed' }, status.volumesConfirmed);
    const { coverage } = status;
    if (coverage !== undefined) {
      listedVolumes.set({ state: 'served' }, coverage.served);
      listedVolumes.set({ state: 'missing' }, coverage.missing.count);
      listedVolumes.set({ state: 'unserved' }, coverage.unserved.count);
      listedVolumes.set({ state: 'tiered' }, coverage.tiered);
    }
    needles.set(status.needles);
    mapBytes.set(status.mapBytes);
    corrupt.set(status.corrupt);
    reloads.set(status.reloads);
  };
}

function confirmationMetrics(set: MetricSet<TargetMetricName>): Refresh {
  const confirmations = new MirroredCounter(set.counter('confirmations'));
  const age = set.gauge('confirmationAge');
  // A gauge without labels starts at 0, which would say that a poll has just begun.
  age.remove();
  return ({ confirmation }) => {
    if (confirmation === undefined) return;
    confirmations.set(confirmation.successes, { result: 'success' });
    confirmations.set(confirmation.failures, { result: 'error' });
    if (confirmation.ageMs !== undefined) age.set(confirmation.ageMs / 1000);
  };
}
