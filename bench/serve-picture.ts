/** CPU of one request by server, as a picture of bars for a page that is as wide as a README. Pure. */
import type { Cell } from './serve-cells.ts';
import { serverNames } from './serve-names.ts';
import type { SubjectName } from './serve-plan.ts';

export interface Pictured {
  readonly cells: readonly Cell[];
  /** The line below the picture. */
  readonly machine: string;
}

interface Bar {
  readonly subject: SubjectName;
  readonly ownUs: number;
  /** CPU behind the server: of its target, and behind nginx's proxy of the volume server. */
  readonly behindUs: number;
}

interface TextStyle {
  readonly size: number;
  readonly weight?: number;
  readonly fill?: string;
  readonly anchor?: 'start' | 'end';
}

const width = 820;
const labelWidth = 210;
const valueWidth = 130;
const barHeight = 20;
const rowHeight = 30;
const headHeight = 58;
const gapHeight = 26;
const ink = '#1f2328';
const quiet = '#59636e';
const own = { ours: '#0b6e4f', others: '#8c959f' };
const behind = { ours: '#7fc8ae', others: '#d0d7de' };
const font = 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif';

const panels: readonly { readonly title: string; readonly subjects: readonly SubjectName[] }[] = [
  {
    title: '4 KiB, the bytes are cached',
    subjects: [
      ...(['strict', 'immutable', 'volume-server', 'nginx-cache', 'varnish'] as const),
      ...(['node-http', 'fastify'] as const),
    ],
  },
  {
    title: '4 KiB, nothing is cached',
    subjects: ['miss-shm', 'miss-tcp', 'volume-server', 'nginx-proxy'],
  },
];
const ours: ReadonlySet<SubjectName> = new Set(['strict', 'immutable', 'miss-shm', 'miss-tcp']);

/** An SVG document; undefined where no read of 4 KiB at `connections` was measured. */
export function servePicture(
  { cells, machine }: Pictured,
  connections: number,
): string | undefined {
  const shown = panels
    .map(({ title, subjects }) => ({ title, bars: barsOf(cells, subjects, connections) }))
    .filter(({ bars }) => bars.length > 0);
  if (shown.length === 0) return undefined;
  const longest = Math.max(
    ...shown.flatMap(({ bars }) => bars.map(({ ownUs, behindUs }) => ownUs + behindUs)),
  );
  const perUs = (width - labelWidth - valueWidth) / longest;
  const lines: string[] = [];
  let y = headHeight;
  for (const { title, bars } of shown) {
    lines.push(text(16, y + 14, title, { size: 14, weight: 600 }));
    y += gapHeight;
    for (const bar of bars) {
      lines.push(...barLines(bar, y, perUs));
      y += rowHeight;
    }
    y += gapHeight / 2;
  }
  const height = y + 22;
  const subtitle =
    'dark: the server itself; light: the target or volume server behind it. Shorter is better.';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${font}" role="img" aria-label="CPU time of one request by server">`,
    `<rect width="${width}" height="${height}" rx="6" fill="#ffffff"/>`,
    text(16, 26, `CPU time of one request, ${connections} connections`, { size: 16, weight: 600 }),
    text(16, 46, subtitle, { size: 12, fill: quiet }),
    ...lines,
    text(16, height - 12, `npm run bench; ${machine}`, { size: 11, fill: quiet }),
    '</svg>',
    '',
  ].join('\n');
}

/** The cheapest first. */
function barsOf(
  cells: readonly Cell[],
  subjects: readonly SubjectName[],
  connections: number,
): readonly Bar[] {
  return cells
    .filter(
      ({ work, bytes, connections: at }) => work === 'read' && bytes === 4096 && at === connections,
    )
    .filter(({ subject }) => subjects.includes(subject))
    .map(({ subject, serverCpuUs, cpuUs, upstreamCpuUs }) => {
      const behindUs = cpuUs - serverCpuUs + (subject === 'nginx-proxy' ? upstreamCpuUs : 0);
      return { subject, ownUs: serverCpuUs, behindUs };
    })
    .sort((a, b) => a.ownUs + a.behindUs - b.ownUs - b.behindUs);
}

function barLines({ subject, ownUs, behindUs }: Bar, y: number, perUs: number): readonly string[] {
  const side = ours.has(subject) ? 'ours' : 'others';
  const [ownWidth, behindWidth] = [ownUs * perUs, behindUs * perUs];
  const value = `${(ownUs + behindUs).toFixed(1)} µs`;
  const weight = side === 'ours' ? 600 : 400;
  return [
    text(labelWidth - 10, y + 14, serverNames[subject], { size: 13, weight, anchor: 'end' }),
    rect(labelWidth, y, ownWidth, own[side]),
    ...(behindWidth >= 0.5 ? [rect(labelWidth + ownWidth, y, behindWidth, behind[side])] : []),
    text(labelWidth + ownWidth + behindWidth + 8, y + 14, value, { size: 13, weight }),
  ];
}

function rect(x: number, y: number, wide: number, fill: string): string {
  return `<rect x="${x.toFixed(1)}" y="${y}" width="${wide.toFixed(1)}" height="${barHeight}" fill="${fill}"/>`;
}

function text(
  x: number,
  y: number,
  content: string,
  { size, weight = 400, fill = ink, anchor = 'start' }: TextStyle,
): string {
  const escaped = content.replace(/&/g, '&amp;').replace(/</g, '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" font-size="${size}" font-weight="${weight}" fill="${fill}" text-anchor="${anchor}">${escaped}</text>`;
}
