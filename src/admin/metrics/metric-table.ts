/** Every metric of both roles. docs/metrics.md explains them, and a test compares the two. */
import type { ProxyStatus, TargetRoleStatus } from '../status.ts';
import { cacheRows, validationWait } from './cache.ts';
import { fabricRows, operationDuration, operationRows } from './fabric.ts';
import { laneRows } from './lanes.ts';
import type { MetricRow, ReadRow } from './metric-row.ts';
import { arenaRows, buildRows, configurationRows } from './process.ts';
import { sidecarDuration, sidecarRows } from './sidecar.ts';
import { targetRows } from './target.ts';
import { requestDuration, requestRows, trafficRows } from './traffic.ts';

export const proxyStatusRows: readonly ReadRow<ProxyStatus>[] = [
  ...trafficRows,
  ...fabricRows,
  ...arenaRows,
  ...cacheRows,
  ...laneRows,
  ...sidecarRows,
  ...configurationRows,
];

export const targetStatusRows: readonly ReadRow<TargetRoleStatus>[] = [
  ...targetRows,
  ...arenaRows,
  ...configurationRows,
];

export const proxyMetricTable: readonly MetricRow[] = [
  ...requestRows,
  requestDuration,
  ...operationRows,
  operationDuration,
  ...proxyStatusRows,
  validationWait,
  sidecarDuration,
  ...buildRows,
];

export const targetMetricTable: readonly MetricRow[] = [...targetStatusRows, ...buildRows];
