/** One look at a role, and what happened between two looks. */

import { type Outcome, outcomes } from '../../needle/request-record.ts';
import type { AdminClient } from '../admin/admin-client.ts';
import type { TrafficStats } from '../admin/clients.ts';
import type { RoleStats } from '../admin/role-stats.ts';

/** Cumulative counts by upper bound in seconds; the last bound is Infinity. */
export type Buckets = readonly (readonly [leSeconds: number, count: number])[];

export interface Look {
  readonly atMs: number;
  readonly stats: RoleStats;
  readonly latency: Readonly<Record<Outcome, Buckets>>;
  /** undefined: a target, or a proxy of a version that does not tell. */
  readonly traffic?: TrafficStats | undefined;
}

export type Looked =
  | { readonly kind: 'seen'; readonly admin: string; readonly look: Look }
  | { readonly kind: 'unseen'; readonly admin: string; readonly detail: string };

/** Rows of clients, volumes and needles that a look shows. */
const trafficRows = 6;

export async function lookAt(client: AdminClient, nowMs: () => number): Promise<Looked> {
  const { address: admin } = client;
  try {
    const stats = await client.json<RoleStats>('/stats');
    const isProxy = stats.role === 'proxy';
    const metrics = isProxy ? await client.text('/metrics') : '';
    const tellsTraffic = isProxy && stats.clients !== undefined;
    // Under /api a name in place of an address is refused without a token: then the rest is shown.
    const traffic = tellsTraffic
      ? await client.json<TrafficStats>(`/api/traffic?limit=${trafficRows}`).catch(() => undefined)
      : undefined;
    const latency = Object.fromEntries(
      outcomes.map((outcome) => [outcome, bucketsOf(metrics, outcome)]),
    ) as Record<Outcome, Buckets>;
    return { kind: 'seen', admin, look: { atMs: nowMs(), stats, latency, traffic } };
  } catch (error) {
    return {
      kind: 'unseen',
      admin,
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}

const bucketName = 'seaweed_rdma_request_duration_seconds_bucket{';

/** Reads as much of Prometheus' text format as this metric needs. */
export function bucketsOf(metrics: string, outcome: Outcome): Buckets {
  const rows: [number, number][] = [];
  for (const line of metrics.split('\n')) {
    if (!line.startsWith(bucketName) || !line.includes(`outcome="${outcome}"`)) continue;
    const le = /le="([^"]+)"/.exec(line)?.[1] ?? '';
    const count = Number(line.slice(line.lastIndexOf(' ') + 1));
    rows.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count]);
  }
  return rows.sort(([a], [b]) => a - b);
}

/** Seconds; undefined without observations. Between two bounds as if spread evenly, as Prometheus' histogram_quantile does. */
export function quantile(share: number, before: Buckets, after: Buckets): number | undefined {
  const counts = after.map(
    ([le, count], index) => [le, count - (before[index]?.[1] ?? 0)] as const,
  );
  const total = counts.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const rank = share * total;
  let low = 0;
  let below = 0;
  for (const [le, count] of counts) {
    if (count >= rank) {
      if (!Number.isFinite(le)) return low;
      return count === below ? le : low + ((le - low) * (rank - below)) / (count - below);
    }
    low = le;
    below = count;
  }
  return low;
}

/** Whether `after` is of a process that was started since: a young one may be older than the one before it was. */
export function hasRestarted(before: Look, after: Look): boolean {
  const startedAtMs = after.atMs - 1000 * after.stats.uptimeSeconds;
  if (startedAtMs > before.atMs) return true;
  return (
    after.stats.uptimeSeconds < before.stats.uptimeSeconds || before.stats.role !== after.stats.role
  );
}
