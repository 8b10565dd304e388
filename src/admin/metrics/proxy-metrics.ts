/** The proxy's metrics: the ledger's numbers and the role's status, handed to prom-client at each scrape. */
import type { ProxyStatus } from '../status.ts';
import { validationWait } from './cache.ts';
import { operationDuration, operationRows } from './fabric.ts';
import { type Exposition, MetricSet } from './metric-set.ts';
import { proxyStatusRows } from './metric-table.ts';
import { type BuildInfo, buildRows } from './process.ts';
import { ProxyLedger } from './proxy-ledger.ts';
import { sidecarDuration } from './sidecar.ts';
import { requestDuration, requestRows } from './traffic.ts';

export interface ProxyMetrics {
  readonly ledger: ProxyLedger;
  /** Where the metrics of the status take their values; before it is called they are absent or 0. */
  watch(status: () => ProxyStatus): void;
  expose(): Promise<Exposition>;
}

export function createProxyMetrics(version: string): ProxyMetrics {
  const set = new MetricSet();
  const ledger = new ProxyLedger();
  let status: (() => ProxyStatus) | undefined;
  set.read<BuildInfo>(buildRows, () => ({ version, role: 'proxy' }));
  set.read(requestRows, () => ledger);
  set.read(operationRows, () => ledger.operations);
  set.read(proxyStatusRows, () => status?.());
  set.histogram(requestDuration, ledger.requestDurations);
  set.histogram(operationDuration, ledger.operationDurations);
  set.histogram(validationWait, ledger.validationWaits);
  set.histogram(sidecarDuration, ledger.sidecarDurations);
  return {
    ledger,
    watch(newStatus) {
      status = newStatus;
    },
    expose: () => set.expose(),
  };
}
