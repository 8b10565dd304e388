/** The target's metrics, read from its status at each scrape. */
import type { TargetRoleStatus } from '../status.ts';
import { type Exposition, MetricSet } from './metric-set.ts';
import { targetStatusRows } from './metric-table.ts';
import { type BuildInfo, buildRows } from './process.ts';

export interface TargetMetrics {
  expose(): Promise<Exposition>;
}

export function createTargetMetrics(
  version: string,
  status: () => TargetRoleStatus,
): TargetMetrics {
  const set = new MetricSet();
  set.read<BuildInfo>(buildRows, () => ({ version, role: 'target' }));
  set.read(targetStatusRows, status);
  return { expose: () => set.expose() };
}
