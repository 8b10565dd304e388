/** Layer 16: who came to the running proxy, and whether it helped them. */
import { type AdminAddress, AdminClient } from '../admin/admin-client.ts';
import {
  answeredText,
  cameText,
  clientsPage,
  clientText,
  noClientText,
  type TrafficRow,
  type TrafficStats,
} from '../admin/clients.ts';
import { countText, shareText } from '../admin/quantities.ts';
import type { RoleStats } from '../admin/role-stats.ts';
import { visible } from '../output.ts';
import { type Finding, ok, skip, warn } from './check.ts';
import type { Settings } from './setup.ts';

export type ClientFacts =
  | { readonly kind: 'unknown'; readonly detail: string }
  | { readonly kind: 'asked'; readonly stats: RoleStats; readonly traffic: TrafficStats };

const clientsAsked = 256;
const clientsShown = 8;
/** Fewer may all be writes, or the first reads of new volumes. */
const requestsToJudge = 100;

export async function gatherClients(place: AdminAddress, timeoutMs: number): Promise<ClientFacts> {
  const client = new AdminClient(place, timeoutMs);
  try {
    const stats = await client.json<RoleStats>('/stats');
    if (stats.role !== 'proxy' || stats.clients === undefined) {
      return { kind: 'unknown', detail: `${place.address} does not tell of clients` };
    }
    const traffic = await client.json<TrafficStats>(`/api/traffic?limit=${clientsAsked}`);
    return { kind: 'asked', stats, traffic };
  } catch (error) {
    return { kind: 'unknown', detail: error instanceof Error ? error.message : String(error) };
  }
}

export function judgeClients(
  settings: Settings | undefined,
  facts: ClientFacts | undefined,
): Finding {
  if (settings === undefined) {
    return skip('client-requests', 'needs a configuration', [
      'would ask the running proxy which clients came, and how they were answered',
    ]);
  }
  if (facts === undefined) return skip('client-requests', 'clients come to a proxy');
  if (facts.kind === 'unknown' || facts.stats.role !== 'proxy') {
    const detail = facts.kind === 'unknown' ? facts.detail : '';
    return skip('client-requests', 'the running proxy cannot be asked', [detail]);
  }
  const { stats, traffic } = facts;
  const nobody = noClientText(stats);
  if (nobody !== undefined) {
    return warn('client-requests', {
      summary: nobody,
      fix: [
        `send the clients to the proxy, as ${clientsPage} says`,
        'seaweed-rdma doctor --master HOST:PORT tells whether clients that ask the master arrive here',
      ],
    });
  }
  return answered(traffic, cameText(stats) ?? '');
}

function answered(traffic: TrafficStats, came: string): Finding {
  const rows: readonly TrafficRow[] = [...traffic.clients, traffic.others.clients];
  const requests = sumOf(rows, ({ requests: count }) => count);
  const here = sumOf(rows, ({ outcomes }) => outcomes.cache + outcomes.rdma);
  const evidence = traffic.clients
    .slice(0, clientsShown)
    .map((row) =>
      visible(`${clientText(row)}: ${countText(row.requests)} requests, ${answeredText(row)}`),
    );
  if (here === 0 && requests >= requestsToJudge) {
    return warn('client-requests', {
      summary: `none of ${countText(requests)} client requests was answered here`,
      evidence,
      fix: ['docs/reasons.md explains each reason above, and says what to do'],
    });
  }
  const summary = `${countText(requests)} requests of ${came}; ${shareText(here, requests)} answered here`;
  return ok('client-requests', summary, evidence);
}

function sumOf(rows: readonly TrafficRow[], of: (row: TrafficRow) => number): number {
  return rows.reduce((sum, row) => sum + of(row), 0);
}
