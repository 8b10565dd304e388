/** Formats a frame of `top`: lines of text, pure. */

import { stripVTControlCharacters, styleText } from 'node:util';
import { outcomes } from '../../needle/request-record.ts';
import type { RailStatus } from '../../rdma/rails/rail-status.ts';
import { bytesText, countText, secondsText, shareText, uptimeText } from '../admin/quantities.ts';
import type { ProxyStats, TargetStats } from '../admin/role-stats.ts';
import { visibleValues } from '../output.ts';
import { targetLine } from '../stats/stats.ts';
import { clientLines } from './client-lines.ts';
import { hasRestarted, type Look, type Looked, quantile } from './sample.ts';

export interface FrameOptions {
  readonly columns: number;
  /** Escape sequences for colours may be used. */
  readonly isColoured: boolean;
}

export interface Rates {
  readonly admin: string;
  readonly role: 'proxy' | 'target';
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly outcomesPerSecond: Readonly<Record<string, number>>;
  /** Reasons of forwarded requests and of errors; only those that occurred. */
  readonly reasonsPerSecond: Readonly<Record<string, number>>;
  /** Seconds by outcome; only what happened. */
  readonly latency: Readonly<Record<string, { p50: number; p90: number; p99: number }>>;
  readonly hitRatio: number | null;
}

const barWidth = 24;

/** `before` undefined: the first look, of which only what is counted since the start is known. */
export function frameOf(
  before: Looked | undefined,
  looked: Looked,
  { columns, isColoured }: FrameOptions,
): string[] {
  const paint: Paint = (style, text) =>
    isColoured ? styleText(style, text, { validateStream: false }) : text;
  // Before colours come in: those of a role's own texts are none.
  const after = visibleValues(looked);
  const title = paint('bold', after.admin);
  if (after.kind === 'unseen')
    return [`${title}  ${paint('red', after.detail)}`].map(cutTo(columns));
  const { stats } = after.look;
  const head = `${title}  ${stats.role} ${stats.version}, up ${uptimeText(stats.uptimeSeconds)}${stats.isDraining ? ', draining' : ''}`;
  const rates = ratesOf(before, after);
  const waiting = rates === undefined ? ['  waiting for the next look'] : [];
  const body =
    stats.role === 'proxy'
      ? [...proxyLines(stats, rates, paint), ...clientLines(stats, after.look.traffic, paint)]
      : targetLines(stats, rates);
  return [head, ...waiting, ...body].map(cutTo(columns));
}

type Paint = (style: 'bold' | 'red' | 'yellow' | 'green' | 'dim', text: string) => string;

/** undefined: there is nothing to compare with. */
export function ratesOf(before: Looked | undefined, after: Looked): Rates | undefined {
  if (after.kind === 'unseen' || before?.kind !== 'seen') return undefined;
  if (hasRestarted(before.look, after.look)) return undefined;
  const seconds = (after.look.atMs - before.look.atMs) / 1000;
  if (seconds <= 0) return undefined;
  return after.look.stats.role === 'proxy'
    ? proxyRates(after.admin, before.look, after.look, seconds)
    : targetRates(after.admin, before.look, after.look, seconds);
}

function proxyRates(admin: string, before: Look, after: Look, seconds: number): Rates {
  const was = before.stats as ProxyStats;
  const is = after.stats as ProxyStats;
  const perSecond = (now: number, then = 0): number => (now - then) / seconds;
  const latency: Record<string, { p50: number; p90: number; p99: number }> = {};
  for (const outcome of outcomes) {
    const of = (share: number): number | undefined =>
      quantile(share, before.latency[outcome], after.latency[outcome]);
    const [p50, p90, p99] = [of(0.5), of(0.9), of(0.99)];
    if (p50 === undefined || p90 === undefined || p99 === undefined) continue;
    latency[outcome] = { p50, p90, p99 };
  }
  const hits = is.cache.hits - was.cache.hits;
  const looked = hits + is.cache.misses - was.cache.misses;
  return {
    admin,
    role: 'proxy',
    seconds,
    requestsPerSecond: perSecond(is.requests.requests, was.requests.requests),
    bytesPerSecond: perSecond(is.requests.bodyBytes, was.requests.bodyBytes),
    outcomesPerSecond: differences(was.requests.outcomes, is.requests.outcomes, seconds),
    reasonsPerSecond: {
      ...differences(was.requests.passthrough, is.requests.passthrough, seconds),
      ...prefixed('error: ', differences(was.requests.errors, is.requests.errors, seconds)),
    },
    latency,
    hitRatio: looked === 0 ? null : hits / looked,
  };
}

function targetRates(admin: string, before: Look, after: Look, seconds: number): Rates {
  const was = before.stats as TargetStats;
  const is = after.stats as TargetStats;
  const reads = differences(was.reads, is.reads, seconds);
  return {
    admin,
    role: 'target',
    seconds,
    requestsPerSecond: Object.values(reads).reduce((sum, rate) => sum + rate, 0),
    bytesPerSecond: (is.bytesSent - was.bytesSent) / seconds,
    outcomesPerSecond: reads,
    reasonsPerSecond: {},
    latency: {},
    hitRatio: null,
  };
}

/** Only what happened between the two. */
function differences(
  was: Readonly<Record<string, number>>,
  is: Readonly<Record<string, number>>,
  seconds: number,
): Record<string, number> {
  const changed: Record<string, number> = {};
  for (const [name, count] of Object.entries(is)) {
    const rate = (count - (was[name] ?? 0)) / seconds;
    if (rate > 0) changed[name] = rate;
  }
  return changed;
}

function prefixed(prefix: string, rates: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(rates).map(([name, rate]) => [prefix + name, rate]));
}

function proxyLines(stats: ProxyStats, rates: Rates | undefined, paint: Paint): string[] {
  const { cache, arena } = stats;
  return [
    ...(rates === undefined ? [] : trafficLines(rates, paint)),
    `  now       ${countText(stats.connections)} connections, ${countText(stats.requestsInFlight)} requests in flight, mode ${stats.mode}`,
    `  cache     ${bar(cache.bytes, cache.bytesMax)} ${bytesText(cache.bytes)} of ${bytesText(cache.bytesMax)}, ${countText(cache.needles)} needles`,
    ...(arena === undefined
      ? []
      : [
          `  arena     ${bar(arena.bytesLeased, arena.bytesTotal)} ${bytesText(arena.bytesLeased)} of ${bytesText(arena.bytesTotal)}, ${countText(arena.leasesOutstanding)} leases${arena.leaseLeaks === 0 ? '' : paint('red', `, ${arena.leaseLeaks} leaked`)}`,
        ]),
    ...(stats.fabricFailure === undefined
      ? []
      : [paint('red', `  fabric    ${stats.fabricFailure}`)]),
    ...stats.targets.flatMap((target) => {
      const isWell =
        target.isUpstreamUp && (target.state === undefined || target.state.kind === 'up');
      const line = isWell ? targetLine(target) : paint('red', targetLine(target));
      return [line, ...(target.rails ?? []).map((rail) => railLine(rail, paint))];
    }),
  ];
}

function railLine(rail: RailStatus, paint: Paint): string {
  const { name, state, reason, transport, outstandingBytes, bytesFetched, ejections } = rail;
  const carries = state === 'admitted' || state === 'trial';
  const way = carries ? `${state} over ${transport ?? 'none'}` : `${state}: ${reason}`;
  const line = `    rail    ${name} ${way}, ${bytesText(outstandingBytes)} outstanding, ${bytesText(bytesFetched)} fetched, ejected ${countText(ejections)} times`;
  return carries ? line : paint('red', line);
}

function trafficLines(rates: Rates, paint: Paint): string[] {
  const { requestsPerSecond: all, outcomesPerSecond, latency, hitRatio } = rates;
  const hits = hitRatio === null ? '-' : `${(100 * hitRatio).toFixed(1)} %`;
  const lines = [
    `  ${countText(all)} requests/s, ${bytesText(rates.bytesPerSecond)}/s, hit ratio ${hits}`,
    paint('dim', '  outcome          per s    share       p50       p90       p99'),
  ];
  for (const outcome of outcomes) {
    const rate = outcomesPerSecond[outcome] ?? 0;
    const times = latency[outcome];
    const cells = [
      countText(rate).padStart(8),
      shareText(rate, all).padStart(8),
      ...(['p50', 'p90', 'p99'] as const).map((name) =>
        (times === undefined ? '-' : secondsText(times[name])).padStart(9),
      ),
    ];
    const line = `  ${outcome.padEnd(13)}${cells.join(' ')}`;
    lines.push(outcome === 'error' && rate > 0 ? paint('red', line) : line);
  }
  const reasons = Object.entries(rates.reasonsPerSecond)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 8)
    .map(([reason, rate]) => `${reason} ${countText(rate)}/s`);
  if (reasons.length > 0) lines.push(`  reasons   ${reasons.join(', ')}`);
  return lines;
}

function targetLines(stats: TargetStats, rates: Rates | undefined): string[] {
  const { arena, confirmation } = stats;
  const reads = Object.entries(rates?.outcomesPerSecond ?? {})
    .map(([status, rate]) => `${status} ${countText(rate)}/s`)
    .join(', ');
  const traffic =
    rates === undefined
      ? []
      : [
          `  ${countText(rates.requestsPerSecond)} reads/s, ${bytesText(rates.bytesPerSecond)}/s  ${reads}`,
        ];
  return [
    ...traffic,
    `  now       ${stats.sessions} sessions, ${stats.requestsInFlight} requests in flight`,
    `  volumes   ${stats.volumesConfirmed} of ${stats.volumesLoaded} confirmed, ${countText(stats.needles)} needles, ${stats.corrupt} corrupt${confirmation === undefined || confirmation.isOk ? '' : `; NOT CONFIRMED: ${confirmation.failure}`}`,
    `  arena     ${bar(arena.bytesLeased, arena.bytesTotal)} ${bytesText(arena.bytesLeased)} of ${bytesText(arena.bytesTotal)}`,
  ];
}

function bar(part: number, whole: number): string {
  const filled = whole === 0 ? 0 : Math.min(barWidth, Math.round((barWidth * part) / whole));
  return `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}]`;
}

/** Cuts lines by their visible characters: a line that is too long loses its colours with its end. */
function cutTo(columns: number): (line: string) => string {
  return (line) => {
    const seen = stripVTControlCharacters(line);
    return seen.length <= columns ? line : `${seen.slice(0, Math.max(0, columns - 1))}…`;
  };
}
