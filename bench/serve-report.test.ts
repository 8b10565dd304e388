/** The bench's tables and picture, and its command line. */
import { describe, expect, test } from 'vitest';
import { readOptions } from './options.ts';
import type { Cell } from './serve-cells.ts';
import { figuresOf } from './serve-figures.ts';
import { servePicture } from './serve-picture.ts';
import type { SubjectName } from './serve-plan.ts';
import { serveMarkdown } from './serve-report.ts';

const cells = [cell('strict', 12, 0.5), cell('nginx-cache', 15, 0), cell('nginx-proxy', 20, 0)];
const measured = { cells, latencies: [], idle: [], missing: ['varnish' as const] };
const how = { seconds: 1, rounds: 5, isPinned: true, generator: 'wrk' };
const serve = { ...how, ...measured, figures: figuresOf(measured) };

describe('the tables', () => {
  test('a figure has its bar, its verdict and how it was compared', () => {
    const lines = serveMarkdown(serve, true).split('\n');
    expect(lines).toContain(
      '| 4 KiB hit, strict, 16 connections | ÷ nginx cache | 1.2 | ≥ 1.4 | NOT met | - | generator-bound: by CPU |',
    );
    expect(lines).toContain(
      '| 4 KiB hit, strict, 16 connections | ÷ Varnish | - | ≥ 1.7 | not installed | - |  |',
    );
  });

  test('a server that had time left is marked, in the full tables only', () => {
    const row =
      '| nginx cache | 60000 | 15.0 | 0.0 | 40.0 | 66667 | 273 | 90 % | generator-bound |';
    expect(serveMarkdown(serve, false)).toContain(row);
    expect(serveMarkdown(serve, true)).not.toContain(row);
  });
});

describe('the picture', () => {
  const picture = servePicture({ cells, machine: 'a <small> machine' }, 16) as string;

  test('bars are as long as what they show, with what stands behind a server added', () => {
    const widths = [...picture.matchAll(/<rect x="[\d.]+" y="\d+" width="([\d.]+)"/g)].map(
      ([, width]) => Number(width),
    );
    // Cheapest first in each panel: strict and its target, nginx's cache; then nginx and the volume server behind it.
    const perUs = (widths[0] as number) / 12;
    expect(widths.map((width) => Math.round((width / perUs) * 2) / 2)).toEqual([
      12, 0.5, 15, 20, 40,
    ]);
    expect(picture).toContain('>12.5 µs</text>');
    expect(picture).toContain('>60.0 µs</text>');
  });

  test('text stays text', () => {
    expect(picture).toContain('a &lt;small> machine');
    expect(picture.split('<svg ')).toHaveLength(2);
    expect(picture.trimEnd().endsWith('</svg>')).toBe(true);
  });

  test('there is none of what was not measured', () => {
    expect(servePicture({ cells, machine: '' }, 64)).toBeUndefined();
  });
});

describe('the command line', () => {
  test('everything by default, and what it was told', () => {
    expect(readOptions([]).parts).toEqual(['fetch', 'cache', 'copy', 'serve', 'clients']);
    expect(readOptions(['--quick']).parts).toEqual(['serve']);
    expect(readOptions(['--sizes', '4KiB,1MiB', '--connections', '1,64'])).toMatchObject({
      ...{ parts: ['serve'], sizes: [4096, 1048576], connections: [1, 64] },
    });
  });

  test.each([
    [['--sizes', '4k'], '--sizes'],
    [['--connections', '1.5'], '--connections'],
    [['--seconds', '0'], '--seconds'],
    [['--rounds', '-1'], '--rounds'],
    [['--servers', 'apache'], '--servers'],
    [['--only', 'nothing'], '--only'],
    [['--quick', '--only', 'cache'], '--quick'],
    [['--unheard-of'], '--unheard-of'],
  ])('%j is refused with what would do', (args, name) => {
    expect(() => readOptions(args)).toThrow(name);
  });
});

function cell(subject: SubjectName, serverCpuUs: number, targetUs: number): Cell {
  const round = {
    requestsPerSecond: 60_000,
    serverCpuUs,
    cpuUs: serverCpuUs + targetUs,
    ...{ upstreamCpuUs: 40, busy: 0.9, coreBusy: 0.92, otherCoreBusy: 0.5 },
  };
  return {
    ...{ work: 'read', bytes: 4096, connections: 16, subject, ...round },
    ...{ limitedBy: 'generator', hasAskedUpstream: false, rounds: [round] },
    megabytesPerCpuSecond: Math.round(4096 / round.cpuUs),
  };
}
