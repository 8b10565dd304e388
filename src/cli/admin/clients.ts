/** Describes a proxy's clients and their requests: for `top`, `stats` and the doctor. Pure. */

import type { Outcome } from '../../needle/request-record.ts';
import { countText, shareText, uptimeText } from './quantities.ts';
import type { ProxyStats } from './role-stats.ts';

/** A row of /api/traffic; docs/openapi.json describes all of it. */
export interface TrafficRow {
  readonly perSecond: number;
  readonly requests: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly passthrough: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
}

export interface TrafficStats {
  readonly clients: readonly (TrafficRow & {
    readonly address: string;
    readonly userAgent: string;
  })[];
  readonly volumes: readonly (TrafficRow & { readonly volumeId: number })[];
  readonly needles: readonly (TrafficRow & {
    readonly volumeId: number;
    readonly needleId: string;
  })[];
  /** Counts of the rows that made room for others. */
  readonly others: { readonly clients: TrafficRow };
}

export const clientsPage = 'docs/deploy.md#how-clients-come-to-the-proxy';

/** undefined: clients came, or the proxy is of a version that does not tell. */
export function noClientText({ clients, sidecar, uptimeSeconds }: ProxyStats): string | undefined {
  if (clients === undefined || clients.requests > 0) return undefined;
  const served = (sidecar?.requests ?? []).reduce((sum, { count }) => sum + count, 0);
  const bySidecar = served === 0 ? '' : ` (the sidecar listener had ${countText(served)})`;
  return `no client request since the start, ${uptimeText(uptimeSeconds)} ago${bySidecar}`;
}

/** "3 clients, the last request 2 s ago". */
export function cameText({ clients }: ProxyStats): string | undefined {
  if (clients === undefined) return undefined;
  const { tracked, lastRequestSecondsAgo: ago } = clients;
  const last = ago === null ? '' : `, the last request ${uptimeText(ago)} ago`;
  return `${tracked} ${tracked === 1 ? 'client' : 'clients'}${last}`;
}

/** "10.0.0.5 Go-http-client/1.1". */
export function clientText({ address, userAgent }: TrafficStats['clients'][number]): string {
  const who = address === '' ? 'unix socket' : address;
  return `${who} ${userAgent === '' ? '(no User-Agent)' : userAgent}`;
}

/** How many were answered here, and why others were not: "98.2 % here, not-found 12, error deadline 3". */
export function answeredText(row: TrafficRow): string {
  const { outcomes, requests, passthrough, errors } = row;
  const here = `${shareText(outcomes.cache + outcomes.rdma, requests)} here`;
  const why = [
    ...Object.entries(passthrough),
    ...Object.entries(errors).map(([reason, count]) => [`error ${reason}`, count] as const),
  ]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 4)
    .map(([reason, count]) => `${reason} ${countText(count)}`);
  return [here, ...why].join(', ');
}

/** Formats a needle as a fid, without its cookie. */
export function needleText({ volumeId, needleId }: TrafficStats['needles'][number]): string {
  const digits = BigInt(needleId).toString(16);
  return `${volumeId},${digits.length % 2 === 0 ? digits : `0${digits}`}…`;
}
