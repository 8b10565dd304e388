/** `seaweed-rdma stats`: what roles have done since they were started. */

import { outcomes } from '../../needle/request-record.ts';
import { type AdminAddress, AdminClient } from '../admin/admin-client.ts';
import { cameText, clientsPage, noClientText } from '../admin/clients.ts';
import { bytesText, countText, shareText, uptimeText } from '../admin/quantities.ts';
import type { ProxyStats, RoleStats, TargetStats } from '../admin/role-stats.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print, printJson } from '../output.ts';

export interface StatsOptions {
  readonly places: readonly AdminAddress[];
  readonly timeoutMs: number;
  readonly json: boolean;
}

/** Returns the exit code. */
export async function runStats({ places, timeoutMs, json }: StatsOptions): Promise<number> {
  const clients = places.map((place) => new AdminClient(place, timeoutMs));
  const asked = clients.map(async (client) => ({
    admin: client.address,
    ...(await client.json<RoleStats>('/stats')),
  }));
  // One that cannot be asked does not hide the others.
  const settled = await Promise.allSettled(asked);
  const all = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  if (json) {
    if (all.length > 0) printJson(places.length === 1 ? all[0] : all);
  } else {
    for (const stats of all) for (const line of describe(stats.admin, stats)) print(line);
  }
  const [first, ...others] = failed;
  for (const error of others) note(error instanceof Error ? error.message : String(error));
  if (first !== undefined) throw first;
  return exitCodes.done;
}

function describe(admin: string, stats: RoleStats): string[] {
  const { role, version, uptimeSeconds } = stats;
  const head = `${role} ${version} at ${admin}, up ${uptimeText(uptimeSeconds)}${stats.isDraining ? ', draining' : ''}`;
  return [head, ...(stats.role === 'proxy' ? ofProxy(stats) : ofTarget(stats))];
}

function ofProxy(stats: ProxyStats): string[] {
  const { requests, cache, arena, targets } = stats;
  const reasons = Object.entries({ ...requests.passthrough })
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${reason} ${countText(count)}`);
  const errors = Object.entries(requests.errors).map(
    ([reason, count]) => `${reason} ${countText(count)}`,
  );
  return [
    `  requests   ${countText(requests.requests)}: ${outcomes
      .map((outcome) => `${outcome} ${shareText(requests.outcomes[outcome], requests.requests)}`)
      .join(', ')}; ${bytesText(requests.bodyBytes)} sent`,
    ...(reasons.length === 0 ? [] : [`  passed     ${reasons.join(', ')}`]),
    ...(errors.length === 0 ? [] : [`  errors     ${errors.join(', ')}`]),
    ...clientsLine(stats),
    `  now        ${stats.connections} connections, ${stats.requestsInFlight} requests in flight, mode ${stats.mode}`,
    `  cache      ${countText(cache.needles)} needles in ${bytesText(cache.bytes)} of ${bytesText(cache.bytesMax)}, hit ratio ${shareText(cache.hits, cache.hits + cache.misses)}, ${hitsPerValidation(cache)}`,
    ...(arena === undefined ? [] : [arenaLine(arena)]),
    ...(stats.fabricFailure === undefined ? [] : [`  fabric     ${stats.fabricFailure}`]),
    ...targets.map(targetLine),
  ];
}

function clientsLine(stats: ProxyStats): string[] {
  const nobody = noClientText(stats);
  if (nobody !== undefined) return [`  clients    ${nobody}: ${clientsPage}`];
  const came = cameText(stats);
  return came === undefined ? [] : [`  clients    ${came}`];
}

function hitsPerValidation({ validations, validatedHits }: ProxyStats['cache']): string {
  return validations === 0
    ? 'no validations'
    : `${(validatedHits / validations).toFixed(1)} hits a validation`;
}

function arenaLine(arena: TargetStats['arena']): string {
  const { bytesLeased, bytesTotal, pageKind, leasesOutstanding, leaseLeaks } = arena;
  const leaks = leaseLeaks === 0 ? '' : `, ${leaseLeaks} LEAKED`;
  return `  arena      ${bytesText(bytesLeased)} of ${bytesText(bytesTotal)} leased (${pageKind} pages), ${leasesOutstanding} leases${leaks}`;
}

export function targetLine(target: ProxyStats['targets'][number]): string {
  const { address, upstreamUrl, state, breaker, volumes, volumesConfirmed, isUpstreamUp } = target;
  const upstream = `${upstreamUrl}${isUpstreamUp ? '' : ' DOWN'}`;
  if (state === undefined) return `  upstream   ${upstream}, no target`;
  const how = stateText(state);
  const open = breaker === 'closed' ? '' : `, breaker ${breaker}`;
  return `  target     ${address} ${how}${open}, ${volumesConfirmed} of ${volumes} volumes confirmed; upstream ${upstream}`;
}

function stateText(state: NonNullable<ProxyStats['targets'][number]['state']>): string {
  if (state.kind === 'up') return `up by ${state.transport}`;
  return state.kind === 'down' ? `down ${state.detail}` : state.kind;
}

function ofTarget(stats: TargetStats): string[] {
  const reads = Object.entries(stats.reads)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${status} ${countText(count)}`);
  const { confirmation } = stats;
  const confirmed =
    confirmation === undefined
      ? 'no server is asked'
      : confirmation.isOk
        ? 'confirmed'
        : `NOT CONFIRMED: ${confirmation.failure}`;
  return [
    `  sessions   ${stats.sessions}, ${stats.requestsInFlight} requests in flight`,
    `  reads      ${reads.join(', ') || 'none'}; ${shareText(stats.readsDisk, stats.readsDisk + stats.readsCached)} from disk; ${bytesText(stats.bytesSent)} sent`,
    `  validated  ${countText(stats.validations)}`,
    `  volumes    ${stats.volumesConfirmed} of ${stats.volumesLoaded} confirmed, ${countText(stats.needles)} needles, ${stats.corrupt} corrupt; volume server ${confirmed}`,
    arenaLine(stats.arena),
  ];
}
