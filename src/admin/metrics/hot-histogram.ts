/**
 * A histogram that costs an addition or two: prom-client's own takes over 1 µs for each value, as much as a small read's
 * whole share of bookkeeping. Same exposition, one label at most.
 */

import type { MetricRow } from './metric-row.ts';

/** One label value's buckets. */
export class HotSeries {
  readonly #bounds: readonly number[];
  /** Not cumulative; the last one is over every bound. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
  }

  /** `label` as in `outcome="rdma"`. */
  lines(name: string, label: string): string[] {
    const lines: string[] = [];
    let count = 0;
    this.#counts.forEach((here, bucket) => {
      count += here;
      const bound = this.#bounds[bucket] ?? '+Inf';
      lines.push(`${name}_bucket{le="${bound}",${label}} ${count}`);
    });
    lines.push(`${name}_sum{${label}} ${this.#sum}`, `${name}_count{${label}} ${count}`);
    return lines;
  }
}

export class HotHistogram {
  readonly #row: MetricRow;
  readonly #series = new Map<string, HotSeries>();

  constructor(row: MetricRow) {
    this.#row = row;
  }

  /** Kept by the caller: looked up once, not at each value. `labelValue` needs no escaping. */
  series(labelValue: string): HotSeries {
    const known = this.#series.get(labelValue);
    if (known !== undefined) return known;
    const made = new HotSeries(this.#row.buckets ?? []);
    this.#series.set(labelValue, made);
    return made;
  }

  /** The text exposition format. */
  text(): string {
    const { name, help, labels } = this.#row;
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
    for (const [value, series] of this.#series) {
      lines.push(...series.lines(name, `${labels[0]}="${value}"`));
    }
    return `${lines.join('\n')}\n`;
  }
}
