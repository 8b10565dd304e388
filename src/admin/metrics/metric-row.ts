/** One row for each metric: how it is declared, in prom-client's words, and how a scrape reads it. */

export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram, in seconds. */
  readonly buckets?: readonly number[];
}

/** A value and its label values, in the order of the row's labels. */
export type Series = readonly [value: number, ...labelValues: string[]];

/** The value of a metric without labels (undefined: it is absent), or the series of one with labels. */
export type Reading = number | undefined | readonly Series[];

/** A counter or gauge without how it is read: both roles have it, and each reads its own. */
export interface SharedHead extends MetricRow {
  readonly type: 'counter' | 'gauge';
}

/**
 * A metric that is counted elsewhere in plain numbers. A counter's total never goes back; a gauge has exactly the series
 * that were read last.
 */
export interface ReadRow<Source> extends SharedHead {
  readonly read: (source: Source) => Reading;
}

/** Values of one label value, counted by bucket when they happen. */
export interface HistogramSeries {
  /** Not cumulative; the last one is over every bound. */
  readonly counts: Float64Array;
  readonly sum: number;
}

/** A metric whose values are counted elsewhere by bucket. Every series of its one label exists from the start. */
export interface HistogramRow<Value extends string> extends MetricRow {
  readonly type: 'histogram';
  readonly labels: readonly [string];
  readonly labelValues: readonly Value[];
  readonly buckets: readonly number[];
}
