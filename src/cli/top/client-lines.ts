/** Formats the part of `top` about clients and their requests. Pure. */

import {
  answeredText,
  clientsPage,
  clientText,
  needleText,
  noClientText,
  type TrafficStats,
} from '../admin/clients.ts';
import { countText } from '../admin/quantities.ts';
import type { ProxyStats } from '../admin/role-stats.ts';
import { visible } from '../output.ts';

type Paint = (style: 'yellow' | 'dim', text: string) => string;

const clientWidth = 40;

export function clientLines(
  stats: ProxyStats,
  traffic: TrafficStats | undefined,
  paint: Paint,
): string[] {
  const nobody = noClientText(stats);
  if (nobody !== undefined) return [paint('yellow', `  clients   ${nobody}: ${clientsPage}`)];
  if (traffic === undefined) return [];
  const rows = traffic.clients.map((row) => {
    const who = visible(clientText(row)).slice(0, clientWidth).padEnd(clientWidth);
    return `  ${who} ${countText(row.perSecond).padStart(7)} ${countText(row.requests).padStart(9)}  ${answeredText(row)}`;
  });
  return [
    paint('dim', `  ${'client'.padEnd(clientWidth)}   per s     total  answered`),
    ...rows,
    ...busiestLine('volumes', traffic.volumes, ({ volumeId }) => String(volumeId)),
    ...busiestLine('needles', traffic.needles, needleText),
  ];
}

/** Those that are asked for now. */
function busiestLine<Row extends { readonly perSecond: number }>(
  name: string,
  rows: readonly Row[],
  nameOf: (row: Row) => string,
): string[] {
  const busy = rows.filter(({ perSecond }) => perSecond > 0);
  const each = busy.map((row) => `${nameOf(row)} ${countText(row.perSecond)}/s`);
  return each.length === 0 ? [] : [`  ${name.padEnd(9)} ${each.join(', ')}`];
}
