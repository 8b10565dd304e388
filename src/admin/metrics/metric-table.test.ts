/** Prometheus' conventions for names, units and labels: https://prometheus.io/docs/practices/naming/ */

import { describe, expect, test } from 'vitest';
import type { MetricRow } from './metric-row.ts';
import { proxyMetricTable, targetMetricTable } from './metric-table.ts';

const tables = [
  ['proxy', Object.values(proxyMetricTable)],
  ['target', Object.values(targetMetricTable)],
] as const;

/** Base units alone, and no name of a type. */
const foreignWord =
  /_(ms|us|ns|millis\w*|micros\w*|minutes?|hours?|k?i?b|kilo\w*|mega\w*|mib|gib|percent|ratio_percent|count|sum|bucket|gauge|counter|histogram)(_|$)/;
/** Named by others before there was a table. */
const given: ReadonlySet<string> = new Set(['rdma_bytes_transferred_total']);
const unit = /_(seconds|bytes)(_total)?$/;

function faultsOf({ name, type, help, labels, buckets }: MetricRow): string[] {
  const rules: readonly (readonly [boolean, string])[] = [
    [/^(seaweed_rdma|rdma)(_[a-z][a-z0-9]*)+$/.test(name), 'is no name of ours'],
    [(type === 'counter') === name.endsWith('_total'), '_total is for counters, and for all'],
    [type !== 'histogram' || unit.test(name), 'a histogram has a unit'],
    [!foreignWord.test(name), 'has a unit that is no base unit, or a word that says the type'],
    [given.has(name) || !/_(seconds|bytes)_(?!total$)/.test(name), 'has its unit inside'],
    [/^[A-Z0-9][^\n]*\.$/.test(help), 'its help is no sentence'],
    [labels.every((label) => /^[a-z][a-z_]*$/.test(label)), 'has an odd label'],
    [
      !labels.some((label) => ['le', 'quantile', 'job', 'instance', 'unit'].includes(label)),
      'has a label that is taken',
    ],
    [(type === 'histogram') === (buckets !== undefined), 'buckets are for histograms'],
    [
      (buckets ?? []).every((bound, at, all) => at === 0 || bound > (all[at - 1] as number)),
      'its buckets do not ascend',
    ],
    [type !== 'histogram' || labels.length === 1, 'a histogram here has one label'],
  ];
  return rules.filter(([holds]) => !holds).map(([, fault]) => `${name}: ${fault}`);
}

describe.each(tables)('the metrics of the %s', (_role, rows) => {
  test('follow the conventions', () => {
    expect(rows.flatMap(faultsOf)).toEqual([]);
    expect(rows.length).toBeGreaterThan(15);
  });

  test('have names of their own', () => {
    const names = rows.map(({ name }) => name);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });
});

test('what both roles expose means the same on both', () => {
  const byName = new Map(tables[0][1].map((row) => [row.name, row]));
  const other = tables[1][1].filter((row) => byName.has(row.name));
  expect(other.length).toBeGreaterThan(3);
  expect(other.filter((row) => byName.get(row.name) !== row)).toEqual([]);
});

test('a table that breaks a convention is found', () => {
  const row = { type: 'counter', help: 'Reads.', labels: [] } as const;
  const fault = (changed: Partial<MetricRow>): number =>
    faultsOf({ ...row, name: 'rdma_reads_total', ...changed }).length;
  expect(fault({})).toBe(0);
  expect(fault({ name: 'rdma_reads' })).toBe(1);
  expect(fault({ name: 'rdma_wait_ms_total' })).toBe(1);
  expect(fault({ name: 'rdma_bytes_read_total' })).toBe(1);
  expect(fault({ help: 'reads' })).toBe(1);
  expect(fault({ labels: ['le'] })).toBe(1);
  expect(fault({ type: 'histogram', name: 'rdma_wait', labels: ['a'], buckets: [1, 2] })).toBe(1);
  expect(
    fault({ type: 'histogram', name: 'rdma_wait_seconds', labels: ['a'], buckets: [2, 1] }),
  ).toBe(1);
});
