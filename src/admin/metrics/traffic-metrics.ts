/** Counters of connections, volume servers and targets, kept where things happen and mirrored at each scrape. */
import type { Gauge } from 'prom-client';
import type { PoolStatus } from '../../proxy/passthrough/upstream-pool.ts';
import type { FrontStatus, ProxyStatus, TargetStatus } from '../status.ts';
import { type MetricSet, MirroredCounter } from './metric-set.ts';
import type { ProxyMetricName } from './metric-table.ts';

type Set = MetricSet<ProxyMetricName>;

export function trafficMetrics(set: Set): (status: ProxyStatus) => void {
  const front = frontMetrics(set);
  const pool = poolMetrics(set);
  const target = targetMetrics(set);
  const inFlight = set.gauge('fabricRequestsInFlight');
  const lateReplies = new MirroredCounter(set.counter('lateReplies'));
  const suppressed = new MirroredCounter(set.counter('logLinesSuppressed'));
  return (status) => {
    front(status.front);
    for (const each of status.upstreamPools) pool(each);
    target(status.targets);
    inFlight.set(status.fabric.requestsInFlight);
    lateReplies.set(status.fabric.lateReplies);
    suppressed.set(status.logLinesSuppressed);
  };
}

function frontMetrics(set: Set): (front: FrontStatus) => void {
  const connections = new MirroredCounter(set.counter('clientConnections'));
  const entered = new MirroredCounter(set.counter('requestsEntered'));
  const rawPipes = new MirroredCounter(set.counter('rawPipes'));
  const rawPipesOpen = set.gauge('rawPipesOpen');
  const bytesInFlight = set.gauge('bytesInFlight');
  const bytesCopied = set.gauge('bytesCopied');
  const retries = new MirroredCounter(set.counter('upstreamRetries'));
  return (front) => {
    connections.set(front.connectionsAccepted, { event: 'accepted' });
    connections.set(front.connectionsRefused, { event: 'refused' });
    connections.set(front.connectionsEvicted, { event: 'evicted' });
    connections.set(front.acceptFailures, { event: 'failed' });
    connections.set(front.headTimeouts, { event: 'head_timeout' });
    connections.set(front.bodyTimeouts, { event: 'body_timeout' });
    entered.set(front.requestsByLane, { way: 'lane' });
    entered.set(front.requestsByFramework, { way: 'framework' });
    entered.set(front.connectionsUnread, { way: 'raw' });
    rawPipes.set(front.rawPipes);
    rawPipesOpen.set(front.rawPipesOpen);
    bytesInFlight.set(front.bytesInFlight);
    bytesCopied.set(front.bytesCopied);
    retries.set(front.retries);
  };
}

function poolMetrics(set: Set): (pool: PoolStatus) => void {
  const connections = set.gauge('upstreamConnections');
  const waiting = set.gauge('upstreamWaiting');
  const requests = new MirroredCounter(set.counter('upstreamRequests'));
  return ({ upstream, ...pool }) => {
    connections.set({ upstream, state: 'busy' }, pool.connections - pool.idle);
    connections.set({ upstream, state: 'idle' }, pool.idle);
    waiting.set({ upstream }, pool.waiting);
    requests.set(pool.sentOnNew, { upstream, connection: 'new' });
    requests.set(pool.sentOnReused, { upstream, connection: 'reused' });
  };
}

const breakerStates = ['closed', 'open', 'half-open'] as const;

function targetMetrics(set: Set): (targets: readonly TargetStatus[]) => void {
  const breakerOpens = new MirroredCounter(set.counter('breakerOpens'));
  const breakerState = set.gauge('breakerState');
  const sessions = new MirroredCounter(set.counter('targetSessions'));
  const fetches = new MirroredCounter(set.counter('targetFetches'));
  const bytes = new MirroredCounter(set.counter('targetFetchedBytes'));
  const ping = set.gauge('targetPing');
  return (targets) => {
    ping.reset();
    for (const { address: target, counted, ...status } of targets) {
      if (counted === undefined) continue;
      breakerOpens.set(status.breakerOpens, { target });
      for (const state of breakerStates) {
        breakerState.set({ target, state }, status.breaker === state ? 1 : 0);
      }
      sessions.set(counted.established, { target, event: 'established' });
      sessions.set(counted.lost, { target, event: 'lost' });
      sessions.set(counted.failed, { target, event: 'failed' });
      for (const [name, count] of Object.entries(counted.fetches)) {
        fetches.set(count, { target, status: name });
      }
      bytes.set(counted.bytesFetched, { target });
      setPing(ping, target, status.state?.kind === 'up' ? counted.pingUs : undefined);
    }
  };
}

function setPing(gauge: Gauge, target: string, pingUs: number | undefined): void {
  if (pingUs !== undefined) gauge.set({ target }, pingUs / 1e6);
}
