/** Makes the metrics of one table in a registry of their own. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricRow } from './metric-table.ts';

export class MetricSet<Name extends string> {
  readonly registry: Registry = new Registry();
  readonly #table: Readonly<Record<Name, MetricRow>>;
  #refresh: () => void = () => undefined;

  /** Process metrics (CPU, memory, event loop, GC) come with every set. */
  constructor(table: Readonly<Record<Name, MetricRow>>) {
    this.#table = table;
    collectDefaultMetrics({ register: this.registry });
  }

  counter(name: Name): Counter {
    const { name: metric, help, labels } = this.#row(name, 'counter');
    return new Counter({ name: metric, help, labelNames: [...labels], registers: [this.registry] });
  }

  gauge(name: Name): Gauge {
    const { name: metric, help, labels } = this.#row(name, 'gauge');
    return new Gauge({ name: metric, help, labelNames: [...labels], registers: [this.registry] });
  }

  histogram(name: Name): Histogram {
    const { name: metric, help, labels, buckets } = this.#row(name, 'histogram');
    return new Histogram({
      name: metric,
      help,
      labelNames: [...labels],
      buckets: [...(buckets ?? [])],
      registers: [this.registry],
    });
  }

  /** Called before each exposition: brings what is kept elsewhere up to date. */
  onScrape(refresh: () => void): void {
    this.#refresh = refresh;
  }

  /** The text exposition format. */
  async expose(): Promise<{ readonly type: string; readonly text: string }> {
    this.#refresh();
    return { type: this.registry.contentType, text: await this.registry.metrics() };
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
