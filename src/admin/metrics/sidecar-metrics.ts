/** The sidecar's own counters, brought to prom-client at scrape time. */
import type { SidecarObserver, SidecarPath } from '../../proxy/sidecar/sidecar-ledger.ts';
import type { SidecarStatus } from '../../proxy/sidecar/sidecar-status.ts';
import { type MetricSet, MirroredCounter } from './metric-set.ts';
import type { ProxyMetricName } from './metric-table.ts';

export interface SidecarMetrics {
  /** One call per finished request. */
  readonly observe: SidecarObserver;
  /** undefined: there is no such listener. */
  readonly refresh: (status: SidecarStatus | undefined) => void;
}

export function sidecarMetrics(set: MetricSet<ProxyMetricName>): SidecarMetrics {
  const duration = set.histogram('sidecarDuration');
  const durations: Readonly<Record<SidecarPath, ReturnType<typeof duration.series>>> = {
    read: duration.series('read'),
    rdma_read: duration.series('rdma_read'),
    cleanup: duration.series('cleanup'),
    health: duration.series('health'),
    stats: duration.series('stats'),
    ping: duration.series('ping'),
    capabilities: duration.series('capabilities'),
    benchmark: duration.series('benchmark'),
    other: duration.series('other'),
  };
  const requests = new MirroredCounter(set.counter('sidecarRequests'));
  const bytes = new MirroredCounter(set.counter('sidecarBytes'));
  const connectionsRefused = new MirroredCounter(set.counter('sidecarConnectionsRefused'));
  const connectionsEvicted = new MirroredCounter(set.counter('sidecarConnectionsEvicted'));
  const tempEvents = new MirroredCounter(set.counter('sidecarTempEvents'));
  const gauges = {
    connections: set.gauge('sidecarConnections'),
    requestsInFlight: set.gauge('sidecarRequestsInFlight'),
    bytesInFlight: set.gauge('sidecarBytesInFlight'),
    tempFiles: set.gauge('sidecarTempFiles'),
    tempBytes: set.gauge('sidecarTempBytes'),
  };
  return {
    observe: ({ path, durationMs }) => durations[path].observe(durationMs / 1000),
    refresh(status) {
      for (const { path, outcome, reason, count } of status?.requests ?? []) {
        requests.set(count, { path, outcome, reason });
      }
      for (const source of ['cache', 'rdma', 'http'] as const) {
        bytes.set(status?.needleBytes[source] ?? 0, { source });
      }
      connectionsRefused.set(status?.connectionsRefused ?? 0);
      connectionsEvicted.set(status?.connectionsEvicted ?? 0);
      gauges.connections.set(status?.connections ?? 0);
      gauges.requestsInFlight.set(status?.requestsInFlight ?? 0);
      gauges.bytesInFlight.set(status?.bytesInFlight ?? 0);
      gauges.tempFiles.set(status?.temp?.files ?? 0);
      gauges.tempBytes.set(status?.temp?.bytes ?? 0);
      for (const event of ['created', 'cleaned', 'reaped', 'refused'] as const) {
        tempEvents.set(status?.temp?.[event] ?? 0, { event });
      }
    },
  };
}
