import { expect, test } from 'vitest';
import type { ReadRow, Series } from './metric-row.ts';
import { MetricSet } from './metric-set.ts';

const row = { name: 'rdma_things', help: 'Things.', labels: [] } as const;

async function linesOf(set: MetricSet): Promise<readonly string[]> {
  const { text } = await set.expose();
  return text.split('\n').filter((line) => line.startsWith('rdma_'));
}

test('scrapes that come while one is written share it, later ones do not', async () => {
  const set = new MetricSet();
  let refreshed = 0;
  set.read([], () => {
    refreshed += 1;
    return {};
  });
  const [first, second] = await Promise.all([set.expose(), set.expose()]);
  expect(second).toBe(first);
  expect(refreshed).toBe(1);
  expect(await set.expose()).not.toBe(first);
  expect(refreshed).toBe(2);
});

test('a gauge has the series that were read last, and none where nothing was read', async () => {
  const set = new MetricSet();
  let count: number | undefined;
  let series: readonly Series[] = [];
  const plain: ReadRow<object> = { ...row, type: 'gauge', read: () => count };
  const labelled: ReadRow<object> = {
    ...row,
    name: 'rdma_parts',
    type: 'gauge',
    labels: ['part', 'state'],
    read: () => series,
  };
  set.read([plain, labelled], () => ({}));
  expect(await linesOf(set)).toEqual([]);
  count = 3;
  series = [
    [1, 'a', 'up'],
    [2, 'b', 'down'],
  ];
  expect(await linesOf(set)).toEqual([
    'rdma_things 3',
    'rdma_parts{part="a",state="up"} 1',
    'rdma_parts{part="b",state="down"} 2',
  ]);
  count = undefined;
  series = [[4, 'b', 'up']];
  expect(await linesOf(set)).toEqual(['rdma_parts{part="b",state="up"} 4']);
});

test('a counter follows a total, and stays where the total falls or is no longer read', async () => {
  const set = new MetricSet();
  let series: readonly Series[] = [[5, 'a']];
  set.read(
    [{ ...row, name: 'rdma_things_total', type: 'counter', labels: ['part'], read: () => series }],
    () => ({}),
  );
  for (const [now, shown] of [
    [[[5, 'a']], 5],
    [[[7, 'a']], 7],
    [[[2, 'a']], 7],
    [[], 7],
    [[[9, 'a']], 9],
  ] as const satisfies readonly (readonly [readonly Series[], number])[]) {
    series = now;
    expect(await linesOf(set)).toEqual([`rdma_things_total{part="a"} ${shown}`]);
  }
});

test('scrapes that come in one turn of the event loop share an exposition', async () => {
  const set = new MetricSet();
  let read = 0;
  set.read([], () => {
    read += 1;
    return {};
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  let exposed = 0;
  for (let i = 0; i < 100; i += 1) {
    setImmediate(async () => {
      await set.expose();
      exposed += 1;
      if (exposed === 100) resolve();
    });
  }
  await promise;
  expect(read).toBe(1);
});

test('a histogram shows its buckets added up, also of a label value without values', async () => {
  const set = new MetricSet();
  const things = {
    ...row,
    name: 'rdma_things_seconds',
    type: 'histogram',
    labels: ['kind'],
    labelValues: ['a', 'b'],
    buckets: [0.1, 1],
  } as const;
  const a = { counts: Float64Array.of(2, 2, 1), sum: 3.65 };
  set.histogram(things, { a, b: { counts: new Float64Array(3), sum: 0 } });
  expect((await set.expose()).text).toContain(`# HELP rdma_things_seconds Things.
# TYPE rdma_things_seconds histogram
rdma_things_seconds_bucket{le="0.1",kind="a"} 2
rdma_things_seconds_bucket{le="1",kind="a"} 4
rdma_things_seconds_bucket{le="+Inf",kind="a"} 5
rdma_things_seconds_sum{kind="a"} 3.65
rdma_things_seconds_count{kind="a"} 5
rdma_things_seconds_bucket{le="0.1",kind="b"} 0
`);
});
