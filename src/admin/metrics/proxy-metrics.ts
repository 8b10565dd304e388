/** The proxy's metrics: plain numbers while requests run, handed to prom-client at each scrape. */
import type { RequestObserver } from '../../needle/outcome.ts';
import type { Validation } from '../../proxy/cache/group-validation.ts';
import type { SidecarObserver } from '../../proxy/sidecar/sidecar-ledger.ts';
import type { ProxyStatus } from '../status.ts';
import { validationWait } from './cache.ts';
import { operationDuration, operationRows } from './fabric.ts';
import { type Exposition, MetricSet } from './metric-set.ts';
import { proxyStatusRows } from './metric-table.ts';
import { type BuildInfo, buildRows } from './process.ts';
import { RequestLedger, type RequestTotals } from './request-ledger.ts';
import { sidecarDuration } from './sidecar.ts';
import { requestDuration, requestRows } from './traffic.ts';

/** One finished read of a target. */
export interface OperationRecord {
  /** The fabric and the target worked: an answer that names a state of the needle or volume is one too. */
  readonly isSuccess: boolean;
  readonly durationMs: number;
  readonly bytesReceived: number;
}

export interface ProxyMetrics {
  /** One call per finished request: the exact traffic accounting. */
  readonly observe: RequestObserver;
  /** One call per read that a target was asked for. */
  readonly readFinished: (record: OperationRecord) => void;
  /** One call per hit that waited for a VALIDATE. */
  readonly validationWaited: (waitedMs: number, said: Validation['kind']) => void;
  /** One call per finished request to the sidecar. */
  readonly observeSidecar: SidecarObserver;
  /** Where the metrics of the status take their values; before it is called they are absent or 0. */
  watch(status: () => ProxyStatus): void;
  /** Requests so far, for /health and /stats. */
  totals(): RequestTotals;
  expose(): Promise<Exposition>;
}

export function createProxyMetrics(version: string): ProxyMetrics {
  const set = new MetricSet();
  const ledger = new RequestLedger();
  const operations = { successes: 0, errors: 0, bytesReceived: 0 };
  let status: (() => ProxyStatus) | undefined;
  set.read<BuildInfo>(buildRows, () => ({ version, role: 'proxy' }));
  set.read(requestRows, () => ledger);
  set.read(operationRows, () => operations);
  set.read(proxyStatusRows, () => status?.());
  const requestDurations = set.histogram(requestDuration);
  const { read: readDuration } = set.histogram(operationDuration);
  const validationWaits = set.histogram(validationWait);
  const sidecarDurations = set.histogram(sidecarDuration);
  return {
    observe(record) {
      ledger.observe(record);
      requestDurations[record.outcome].observe(record.durationMs / 1000);
    },
    readFinished({ isSuccess, durationMs, bytesReceived }) {
      if (isSuccess) operations.successes += 1;
      else operations.errors += 1;
      operations.bytesReceived += bytesReceived;
      readDuration.observe(durationMs / 1000);
    },
    validationWaited: (waitedMs, said) => validationWaits[said].observe(waitedMs / 1000),
    observeSidecar: ({ path, durationMs }) => sidecarDurations[path].observe(durationMs / 1000),
    watch(newStatus) {
      status = newStatus;
    },
    totals: () => ledger.totals(),
    expose: () => set.expose(),
  };
}
