/** The metrics of one role in a registry of their own, made of rows and read from their sources at each scrape. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type {
  HistogramRow,
  HistogramSeries,
  MetricRow,
  Reading,
  ReadRow,
  Series,
} from './metric-row.ts';

/**
 * Their monitor wakes the process every 10 ms for ever, and one that wakes it seldom measures nothing: the lag seen at
 * each scrape is what remains.
 */
const unmonitored = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'];
const neverMs = 2 ** 31 - 1;

export interface Exposition {
  readonly type: string;
  readonly text: string;
}

export class MetricSet {
  readonly registry: Registry = new Registry();
  readonly #histograms: (() => string)[] = [];
  readonly #refreshers: (() => void)[] = [];
  #exposing: Promise<Exposition> | undefined;

  /** Process metrics (CPU, memory, event loop, GC) come with every set. */
  constructor() {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: neverMs });
    for (const what of unmonitored) {
      this.registry.removeSingleMetric(`nodejs_eventloop_lag_${what}_seconds`);
    }
  }

  /** `source` is asked once for each scrape; while it has nothing, the rows keep what they show. */
  read<Source>(rows: readonly ReadRow<Source>[], source: () => Source | undefined): void {
    const shown = rows.map((row) => ({ row, show: this.#shown(row) }));
    this.#refreshers.push(() => {
      const now = source();
      if (now === undefined) return;
      for (const { row, show } of shown) show(seriesOf(row.read(now)));
    });
  }

  /** The series by label value; each scrape reads them. */
  histogram<Value extends string>(
    row: HistogramRow<Value>,
    series: Readonly<Record<Value, HistogramSeries>>,
  ): void {
    this.#histograms.push(() => histogramText(row, series));
  }

  /** The text exposition format. Scrapes that come while one is written share it: many would keep /livez waiting. */
  expose(): Promise<Exposition> {
    this.#exposing ??= this.#expose().finally(() => {
      this.#exposing = undefined;
    });
    return this.#exposing;
  }

  async #expose(): Promise<Exposition> {
    // Whole pipelines of scrapes come in one turn of the event loop, and share what is written in the next.
    await nextTurn();
    for (const refresh of this.#refreshers) refresh();
    const parts = [await this.registry.metrics(), ...this.#histograms.map((text) => text())];
    return { type: this.registry.contentType, text: parts.join('\n') };
  }

  #shown(row: MetricRow): (series: readonly Series[]) => void {
    const { name, type, help, labels } = row;
    const options = { name, help, labelNames: [...labels], registers: [this.registry] };
    return type === 'counter'
      ? shownCounter(new Counter(options), labels)
      : shownGauge(new Gauge(options), labels);
  }
}

function seriesOf(reading: Reading): readonly Series[] {
  if (reading === undefined) return [];
  return typeof reading === 'number' ? [[reading]] : reading;
}

/** In the text exposition format. Label values need no escaping. */
function histogramText<Value extends string>(
  { name, help, labels: [label], labelValues, buckets }: HistogramRow<Value>,
  series: Readonly<Record<Value, HistogramSeries>>,
): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const value of labelValues) {
    const own = `${label}="${value}"`;
    const { counts, sum } = series[value];
    let count = 0;
    counts.forEach((here, bucket) => {
      count += here;
      lines.push(`${name}_bucket{le="${buckets[bucket] ?? '+Inf'}",${own}} ${count}`);
    });
    lines.push(`${name}_sum{${own}} ${sum}`, `${name}_count{${own}} ${count}`);
  }
  return `${lines.join('\n')}\n`;
}

type Labels = readonly string[];

function shownCounter(counter: Counter, labels: Labels): (series: readonly Series[]) => void {
  const seen = new Map<string, number>();
  return (series) => {
    for (const [total, ...values] of series) {
      const key = values.join('|');
      const grown = total - (seen.get(key) ?? 0);
      if (grown < 0) continue;
      seen.set(key, total);
      counter.inc(named(labels, values), grown);
    }
  };
}

function shownGauge(gauge: Gauge, labels: Labels): (series: readonly Series[]) => void {
  return (series) => {
    gauge.reset();
    // Without labels a reset leaves a 0, which would be taken for a value.
    if (labels.length === 0) gauge.remove();
    for (const [value, ...values] of series) gauge.set(named(labels, values), value);
  };
}

function named(labels: Labels, values: Labels): Record<string, string> {
  return Object.fromEntries(labels.map((label, at) => [label, values[at] ?? '']));
}
