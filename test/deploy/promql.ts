/** What a PromQL expression asks for: its metrics, the labels it compares with which values, and those it groups by. */
import { parser } from '@prometheus-io/lezer-promql';
import { proxyMetricTable, targetMetricTable } from '../../src/admin/metrics/metric-table.ts';

export interface Asked {
  readonly metrics: readonly AskedMetric[];
  /** Of by, without, on and ignoring. */
  readonly grouped: readonly string[];
}

export interface AskedMetric {
  readonly name: string;
  readonly matchers: readonly Matcher[];
}

export interface Matcher {
  readonly label: string;
  readonly operator: string;
  readonly value: string;
}

/** Throws with the place where it is not PromQL. */
export function parsePromql(expression: string): Asked {
  const metrics: { name: string; matchers: Matcher[] }[] = [];
  const grouped: string[] = [];
  const textOf = (node: { from: number; to: number }): string =>
    expression.slice(node.from, node.to);
  parser.parse(expression).iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${expression}`);
      if (node.name === 'VectorSelector') metrics.push({ name: '', matchers: [] });
      const metric = metrics.at(-1);
      if (node.name === 'Identifier' && metric !== undefined) metric.name = textOf(node);
      if (node.name === 'UnquotedLabelMatcher' && metric !== undefined) {
        const found = /^(\w+)\s*(=~|!~|!=|=)\s*(["'])(.*)\3$/s.exec(textOf(node));
        if (found === null) throw new Error(`an odd matcher: ${textOf(node)}`);
        const [, label = '', operator = '', , value = ''] = found;
        metric.matchers.push({ label, operator, value });
      }
      if (node.name === 'GroupingLabels') grouped.push(...(textOf(node).match(/\w+/g) ?? []));
    },
  });
  return { metrics, grouped };
}

/** That Prometheus and its service discovery add to every series. */
const addedLabels = ['job', 'instance', 'node', 'namespace', 'pod'];

/** Labels of the exposed series by their names: of the tables, histograms as the three that they are exposed as. */
export function ownSeries(): ReadonlyMap<string, readonly string[]> {
  const series = new Map<string, readonly string[]>();
  for (const row of [...proxyMetricTable, ...targetMetricTable]) {
    if (row.type !== 'histogram') {
      series.set(row.name, row.labels);
      continue;
    }
    series.set(`${row.name}_bucket`, [...row.labels, 'le']);
    for (const part of ['sum', 'count']) series.set(`${row.name}_${part}`, row.labels);
  }
  return series;
}

/** Everything in an expression that no series has: unknown metrics, labels and groupings. */
export function faultsOf(
  expression: string,
  series: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const { metrics, grouped } = parsePromql(expression);
  const known = new Set(addedLabels);
  const faults: string[] = [];
  for (const { name, matchers } of metrics) {
    const labels = series.get(name);
    if (labels === undefined) {
      faults.push(`there is no metric ${name}`);
      continue;
    }
    for (const label of labels) known.add(label);
    faults.push(
      ...matchers
        .filter(({ label }) => !labels.includes(label) && !addedLabels.includes(label))
        .map(({ label }) => `${name} has no label ${label}`),
    );
  }
  faults.push(
    ...grouped
      .filter((label) => !known.has(label))
      .map((label) => `grouped by ${label}, which nothing here has`),
  );
  return faults.map((fault) => `${fault}: ${expression}`);
}

/** The single values that a matcher names; undefined where it is a real pattern. */
export function namedValues({ operator, value }: Matcher): readonly string[] | undefined {
  if (operator === '=' || operator === '!=') return [value];
  const values = value.split('|');
  return values.every((each) => /^[\w-]+$/.test(each)) ? values : undefined;
}
