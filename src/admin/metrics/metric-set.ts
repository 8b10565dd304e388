/** Makes the metrics of one table in a registry of their own. */

import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { HotHistogram } from './hot-histogram.ts';
import type { MetricRow } from './metric-row.ts';

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

export class MetricSet<Name extends string> {
  readonly registry: Registry = new Registry();
  readonly #table: Readonly<Record<Name, MetricRow>>;
  readonly #histograms: HotHistogram[] = [];
  #refresh: () => void = () => undefined;
  #exposing: Promise<Exposition> | undefined;

  /** Process metrics (CPU, memory, event loop, GC) come with every set. */
  constructor(table: Readonly<Record<Name, MetricRow>>) {
    this.#table = table;
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: neverMs });
    for (const what of unmonitored) {
      this.registry.removeSingleMetric(`nodejs_eventloop_lag_${what}_seconds`);
    }
  }

  counter(name: Name): Counter {
    const { name: metric, help, labels } = this.#row(name, 'counter');
    return new Counter({ name: metric, help, labelNames: [...labels], registers: [this.registry] });
  }

  gauge(name: Name): Gauge {
    const { name: metric, help, labels } = this.#row(name, 'gauge');
    return new Gauge({ name: metric, help, labelNames: [...labels], registers: [this.registry] });
  }

  histogram(name: Name): HotHistogram {
    const histogram = new HotHistogram(this.#row(name, 'histogram'));
    this.#histograms.push(histogram);
    return histogram;
  }

  /** Called before each exposition: brings what is kept elsewhere up to date. */
  onScrape(refresh: () => void): void {
    this.#refresh = refresh;
  }

  /** The text exposition format. Scrapes that come while one is written share it: many would keep /livez waiting. */
  expose(): Promise<Exposition> {
    this.#exposing ??= this.#expose().finally(() => {
      this.#exposing = undefined;
    });
    return this.#exposing;
  }

  async #expose(): Promise<Exposition> {
    this.#refresh();
    const parts = [await this.registry.metrics(), ...this.#histograms.map((each) => each.text())];
    return { type: this.registry.contentType, text: parts.join('\n') };
  }

  #row(name: Name, type: MetricRow['type']): MetricRow {
    const row = this.#table[name];
    if (row.type !== type) throw new TypeError(`${row.name} is a ${row.type}, not a ${type}`);
    return row;
  }
}

/** Brings a counter to a total that is counted elsewhere; a total never goes back while the process lives. */
export class MirroredCounter {
  readonly #counter: Counter;
  readonly #seen = new Map<string, number>();

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  set(total: number, labels: Readonly<Record<string, string>> = {}): void {
    const key = Object.values(labels).join('|');
    const grown = total - (this.#seen.get(key) ?? 0);
    if (grown < 0) return;
    this.#seen.set(key, total);
    this.#counter.inc(labels, grown);
  }
}
