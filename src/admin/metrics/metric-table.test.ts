/** Prometheus' conventions for names, units and labels: https://prometheus.io/docs/practices/naming/ */

import { describe, expect, test } from 'vitest';
import { status as proxyStatus } from '../../../test/unit/proxy-status.ts';
import { status as targetStatus } from '../../../test/unit/target-role-status.ts';
import type { MetricRow, Reading } from './metric-row.ts';
import {
  proxyMetricTable,
  proxyStatusRows,
  targetMetricTable,
  targetStatusRows,
} from './metric-table.ts';

const tables = [
  ['proxy', proxyMetricTable],
  ['target', targetMetricTable],
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
  const declared = ({ name, type, help, labels }: MetricRow): object => ({
    name,
    type,
    help,
    labels,
  });
  expect(other.length).toBeGreaterThan(3);
  expect(other.map(declared)).toEqual(
    other.map(({ name }) => declared(byName.get(name) as MetricRow)),
  );
});

test('each row reads a value, or as many label values for each series as it has labels', () => {
  const readings: readonly (readonly [MetricRow, Reading])[] = [
    ...proxyStatusRows.map((row) => [row, row.read(proxyStatus)] as const),
    ...targetStatusRows.map((row) => [row, row.read(targetStatus)] as const),
  ];
  const isOdd = ({ labels }: MetricRow, reading: Reading): boolean =>
    typeof reading === 'object'
      ? labels.length === 0 || reading.some((series) => series.length !== labels.length + 1)
      : typeof reading === 'number' && labels.length > 0;
  expect(readings.filter(([row, reading]) => isOdd(row, reading))).toEqual([]);
  const absent = readings.filter(([, reading]) => reading === undefined);
  // The proxy of the sample has no sidecar.
  expect(absent.map(([{ name }]) => name)).toEqual(['seaweed_rdma_sidecar_requests_total']);
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
