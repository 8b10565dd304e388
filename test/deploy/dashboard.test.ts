/** The Grafana dashboard against what the roles expose: it asks for nothing else, and shows all that matters. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dashboardText } from '../../scripts/grafana-dashboard.ts';
import { MetricSet } from '../../src/admin/metrics/metric-set.ts';
import { proxyMetricTable, targetMetricTable } from '../../src/admin/metrics/metric-table.ts';
import { reasons } from '../../src/needle/reasons.ts';
import { faultsOf, namedValues, ownSeries, parsePromql } from './promql.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
}

interface Variable {
  readonly name: string;
  readonly definition?: string;
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
}

const file = join(import.meta.dirname, '../../deploy/grafana/seaweed-rdma.json');
const dashboard = JSON.parse(readFileSync(file, 'utf8')) as Dashboard;
const panels = dashboard.panels.filter(({ type }) => type !== 'row');

// The dollar is Grafana's.
const variableOfSource = ['$', '{datasource}'].join('');

/** Shown by others in a better form. */
const withoutPanel: Readonly<Record<string, string>> = {
  seaweed_rdma_breaker_open: 'seaweed_rdma_breaker_state has the same, and says half-open too',
};

/** As Prometheus gets it from Grafana. */
function filledIn(expression: string): string {
  return expression.replaceAll('$__rate_interval', '5m').replace(/"\$\w+"/g, '".*"');
}

async function seriesOfNode(): Promise<ReadonlyMap<string, readonly string[]>> {
  const { registry } = new MetricSet();
  const series = new Map<string, readonly string[]>();
  for (const { name, type } of await registry.getMetricsAsJSON()) {
    if (String(type) !== 'histogram') series.set(name, ['kind', 'space']);
    else
      for (const part of ['bucket', 'sum', 'count']) series.set(`${name}_${part}`, ['kind', 'le']);
  }
  return series;
}

const expressions = panels.flatMap(({ title, targets }) =>
  (targets ?? []).map(({ expr }) => ({ title, expr: filledIn(expr) })),
);

describe('the Grafana dashboard', () => {
  test('is what scripts/grafana-dashboard.ts makes', () => {
    expect(readFileSync(file, 'utf8')).toBe(dashboardText());
  });

  test('asks only for metrics and labels that a role exposes', async () => {
    const series = new Map([...(await seriesOfNode()), ...ownSeries()]);
    const annotations = dashboard.annotations.list
      .flatMap(({ expr }) => (expr === undefined ? [] : [filledIn(expr)]))
      .filter((expr) => !expr.startsWith('ALERTS{'));
    const faults = [...expressions.map(({ expr }) => expr), ...annotations].flatMap((expr) =>
      faultsOf(expr, series),
    );
    expect(expressions.length).toBeGreaterThan(60);
    expect(faults).toEqual([]);
  });

  test('has a panel for every metric of both roles', () => {
    const asked = new Set(
      expressions.flatMap(({ expr }) => parsePromql(expr).metrics.map(({ name }) => name)),
    );
    const isShown = (name: string): boolean => asked.has(name) || asked.has(`${name}_bucket`);
    const names = [...proxyMetricTable, ...targetMetricTable].map(({ name }) => name);
    const missing = [...new Set(names)].filter((name) => !isShown(name));
    expect(missing.toSorted()).toEqual(Object.keys(withoutPanel).toSorted());
  });

  test('names only reasons and outcomes that exist', () => {
    const values: Readonly<Record<string, readonly string[]>> = {
      reason: reasons,
      outcome: ['cache', 'rdma', 'passthrough', 'error'],
    };
    const foreign = expressions.flatMap(({ title, expr }) =>
      parsePromql(expr)
        .metrics.filter(({ name }) => name.startsWith('seaweed_rdma_request'))
        .flatMap(({ matchers }) => matchers)
        .flatMap((matcher) =>
          (namedValues(matcher) ?? []).filter(
            (value) => values[matcher.label]?.includes(value) === false,
          ),
        )
        .map((value) => `${title}: ${value}`),
    );
    expect(foreign).toEqual([]);
  });

  test('selects by its variables in every panel', () => {
    const names = dashboard.templating.list.map(({ name }) => name);
    expect(names).toEqual(['datasource', 'instance', 'node']);
    const wrong = panels.flatMap(({ title, targets, datasource }) => [
      ...(datasource?.uid === variableOfSource ? [] : [`${title}: a data source of its own`]),
      ...(targets ?? [])
        .flatMap(({ expr }) => parsePromql(expr.replaceAll('$__rate_interval', '5m')).metrics)
        .filter(({ matchers }) => {
          const values = matchers.map(({ value }) => value);
          return !values.includes('$instance') || !values.includes('$node');
        })
        .map(({ name }) => `${title}: ${name} of every instance`),
    ]);
    expect(wrong).toEqual([]);
    for (const { definition } of dashboard.templating.list.slice(1)) {
      const [, metric = ''] = /^label_values\((\w+)/.exec(definition ?? '') ?? [];
      expect(ownSeries().has(metric)).toBe(true);
    }
  });

  test('says of every panel what it shows, in a unit, and lays none over another', () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const untold = panels.filter(({ type, description, fieldConfig, targets }) => {
      const hasUnit = ['heatmap', 'table'].includes(type) || fieldConfig?.defaults.unit;
      return !description || !hasUnit || (targets ?? []).length === 0;
    });
    expect(untold.map(({ title }) => title)).toEqual([]);
    const cells = new Map<string, string>();
    const overlaps: string[] = [];
    for (const { title, gridPos } of dashboard.panels) {
      if (gridPos.x + gridPos.w > 24) overlaps.push(`${title} leaves the grid`);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          const other = cells.get(`${x},${y}`);
          if (other !== undefined) overlaps.push(`${title} lies over ${other}`);
          cells.set(`${x},${y}`, title);
        }
      }
    }
    expect([...new Set(overlaps)]).toEqual([]);
  });
});

describe('what finds the faults', () => {
  test.each([
    ['seaweed_rdma_nothing', /no metric seaweed_rdma_nothing/],
    ['rate(seaweed_rdma_requests_total{target="a"}[5m])', /no label target/],
    ['sum by (target) (seaweed_rdma_connections)', /grouped by target/],
  ])('finds the one in %s', (expression, fault) => {
    expect(faultsOf(expression, ownSeries()).join()).toMatch(fault);
  });

  test('refuses what is no PromQL', () => {
    expect(() => parsePromql('sum(rate(a[5m])')).toThrow(/no PromQL at/);
  });
});
