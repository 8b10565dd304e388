import { expect, test } from 'vitest';
import { HotHistogram } from './hot-histogram.ts';

const row = {
  name: 'x_seconds',
  type: 'histogram',
  help: 'Says what.',
  labels: ['kind'],
  buckets: [0.1, 1],
} as const;

test('values fall into their buckets, a bound itself into the lower one, and buckets add up', () => {
  const histogram = new HotHistogram(row);
  const series = histogram.series('a');
  for (const value of [0.05, 0.1, 0.5, 1, 2]) series.observe(value);
  expect(histogram.text()).toBe(`# HELP x_seconds Says what.
# TYPE x_seconds histogram
x_seconds_bucket{le="0.1",kind="a"} 2
x_seconds_bucket{le="1",kind="a"} 4
x_seconds_bucket{le="+Inf",kind="a"} 5
x_seconds_sum{kind="a"} 3.65
x_seconds_count{kind="a"} 5
`);
});

test('a label value has one series', () => {
  const histogram = new HotHistogram(row);
  expect(histogram.series('a')).toBe(histogram.series('a'));
  histogram.series('b').observe(5);
  expect(histogram.text()).toContain('x_seconds_count{kind="a"} 0');
  expect(histogram.text()).toContain('x_seconds_count{kind="b"} 1');
});
