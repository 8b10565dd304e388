import { afterEach, describe, expect, test } from 'vitest';
import type { RequestRecord } from '../../needle/request-record.ts';
import { clientsMax, hotNeedlesMax, volumesMax } from './traffic-tables.ts';
import { TrafficWatch } from './traffic-watch.ts';

const fid = (volumeId: number, needleId: number): string =>
  `/${volumeId},${needleId.toString(16).padStart(2, '0')}5eedc0de`;

interface Changes extends Partial<RequestRecord> {
  readonly address?: string;
  readonly agent?: string;
  readonly target?: string;
}

function recordOf(changes: Changes = {}): RequestRecord {
  const { address = '10.0.0.5', agent = 'Go-http-client/1.1', target = fid(3, 1) } = changes;
  return {
    outcome: 'cache',
    reason: '',
    transport: 'tcp',
    sessionId: 0n,
    durationMs: 1,
    bodyBytes: 100,
    request: { method: 'GET', target, rawHeaders: ['Host', 'a', 'User-Agent', agent] },
    answerHead: '',
    client: { address, isOwn: false },
    decidedMs: 0,
    ...changes,
  };
}

let watch = new TrafficWatch();
afterEach(() => {
  watch.close();
  watch = new TrafficWatch();
});

describe('who asks', () => {
  test('is told apart by address and User-Agent, with how it was answered', () => {
    watch.observe(recordOf());
    watch.observe(recordOf({ outcome: 'rdma' }));
    watch.observe(recordOf({ outcome: 'passthrough', reason: 'query' }));
    watch.observe(recordOf({ agent: 'curl/8', outcome: 'error', reason: 'deadline' }));
    watch.observe(recordOf({ address: 'fd00::1' }));
    const { clients, requests } = watch.traffic(10);
    expect(requests).toBe(5);
    expect(clients).toEqual([
      {
        address: '10.0.0.5',
        userAgent: 'Go-http-client/1.1',
        perSecond: 0,
        requests: 3,
        outcomes: { cache: 1, rdma: 1, passthrough: 1, error: 0 },
        passthrough: { query: 1 },
        errors: {},
        bodyBytes: 300,
      },
      expect.objectContaining({ userAgent: 'curl/8', errors: { deadline: 1 } }),
      expect.objectContaining({ address: 'fd00::1', requests: 1 }),
    ]);
  });

  test("does not count this package's own programs, whatever they ask", () => {
    watch.observe(recordOf({ client: { address: '127.0.0.1', isOwn: true } }));
    watch.observe(recordOf({ agent: 'seaweed-rdma-doctor' }));
    watch.observe(recordOf({ agent: 'seaweed-rdma' }));
    expect(watch.traffic(10)).toMatchObject({
      requests: 0,
      ownRequests: 3,
      lastRequestSecondsAgo: null,
      clients: [],
      volumes: [],
      needles: [],
    });
    watch.observe(recordOf());
    expect(watch.tables.status()).toMatchObject({ requests: 1, lastRequestSecondsAgo: 0 });
  });

  test('takes no more than clientsMax rows, however many addresses come, and loses no count', () => {
    for (let i = 0; i < 50; i += 1) watch.observe(recordOf({ address: '10.9.9.9' }));
    for (let i = 0; i < 20 * clientsMax; i += 1) {
      const address = `10.1.${i >> 8}.${i & 255}`;
      watch.observe(recordOf({ address, agent: `agent ${i}`, outcome: 'rdma' }));
    }
    const { clients, others, tracked, requests } = watch.traffic(100_000);
    expect([clients.length, tracked]).toEqual([clientsMax, clientsMax]);
    expect(clients[0]).toMatchObject({ address: '10.9.9.9', requests: 50 });
    expect(others.clients.count).toBe(19 * clientsMax + 1);
    const listed = clients.reduce((sum, each) => sum + each.requests, 0);
    expect([requests, listed + others.clients.requests]).toEqual([
      50 + 20 * clientsMax,
      50 + 20 * clientsMax,
    ]);
    expect(others.clients.outcomes.rdma).toBe(19 * clientsMax + 1);
  });

  test('that left is known anew when it comes again', () => {
    watch.observe(recordOf({ address: '10.9.9.9' }));
    for (let i = 0; i < 2 * clientsMax; i += 1) {
      const record = recordOf({ address: `10.1.${i >> 8}.${i & 255}` });
      watch.observe(record);
      watch.observe(record);
    }
    const of = (): readonly number[] =>
      watch
        .traffic(1000)
        .clients.filter(({ address }) => address === '10.9.9.9')
        .map(({ requests }) => requests);
    expect(of()).toEqual([]);
    for (let i = 0; i < 5; i += 1) watch.observe(recordOf({ address: '10.9.9.9' }));
    expect(of()).toEqual([5]);
  });

  test('keeps no long User-Agent', () => {
    const agent = 'x'.repeat(10_000);
    watch.observe(recordOf({ agent }));
    watch.observe(recordOf({ agent }));
    const [client] = watch.traffic(1).clients;
    expect([client?.userAgent.length, client?.requests]).toEqual([128, 2]);
  });
});

describe('what is asked for', () => {
  test('is counted by volume and needle, never with a cookie', () => {
    for (let i = 0; i < 3; i += 1) watch.observe(recordOf({ target: fid(7, 0xabc) }));
    watch.observe(recordOf({ target: `${fid(7, 0xabd)}?readDeleted=true` }));
    watch.observe(recordOf({ target: fid(8, 1) }));
    watch.observe(recordOf({ target: '/status' }));
    const { volumes, needles } = watch.traffic(10);
    expect(volumes.map(({ volumeId, requests }) => [volumeId, requests])).toEqual([
      [7, 4],
      [8, 1],
    ]);
    expect(needles[0]).toMatchObject({ volumeId: 7, needleId: 0xabcn, requests: 3 });
    const text = JSON.stringify(needles, (_key, value) =>
      typeof value === 'bigint' ? value.toString(16) : value,
    );
    expect(text).not.toContain('5eedc0de');
  });

  test('takes no more rows than volumesMax and hotNeedlesMax', () => {
    for (let i = 0; i < 3 * volumesMax; i += 1) watch.observe(recordOf({ target: fid(i, i) }));
    const { volumes, needles, others } = watch.traffic(100_000);
    expect([volumes.length, needles.length]).toEqual([volumesMax, hotNeedlesMax]);
    expect(others.volumes).toMatchObject({ count: 2 * volumesMax, requests: 2 * volumesMax });
  });

  test('is estimated for busy traffic: the hot needle is found, and about as often as it was', () => {
    const requests = 40_000;
    const hot = recordOf({ target: fid(1, 1) });
    for (let i = 0; i < requests; i += 1) {
      watch.observe(i % 4 === 0 ? hot : recordOf({ target: fid(1, 1000 + i) }));
    }
    const { needles, needlesSampledEvery, volumes } = watch.traffic(5);
    expect(volumes[0]?.requests).toBe(requests);
    expect(needlesSampledEvery).toBeGreaterThan(8);
    expect(needles[0]).toMatchObject({ needleId: 1n });
    expect(needles[0]?.requests).toBeGreaterThan(requests / 4 / 2);
    expect(needles[0]?.requests).toBeLessThan((requests / 4) * 2);
  });
});

test('a rate rises with what comes, falls when nothing does, and ends at nothing', () => {
  let nowMs = performance.now();
  const second = (requests: number): number => {
    for (let i = 0; i < requests; i += 1) watch.observe(recordOf());
    nowMs += 1000;
    watch.tick(nowMs);
    return watch.traffic(1).clients[0]?.perSecond ?? Number.NaN;
  };
  const first = second(100);
  expect(first).toBeGreaterThan(5);
  for (let i = 0; i < 60; i += 1) second(100);
  expect(second(100)).toBeCloseTo(100, 0);
  const falling = second(0);
  expect(falling).toBeLessThan(90);
  for (let i = 0; i < 120; i += 1) second(0);
  expect(second(0)).toBe(0);
});

describe('requests that lanes answered', () => {
  const some = { address: '10.0.0.5', userAgent: 'Go-http-client/1.1', volumeId: 3 };

  test('are counted exactly, with those of the event loop', () => {
    watch.observe(recordOf());
    watch.lanesAnswered({ ...some, requests: 41, bodyBytes: 4_100 });
    watch.lanesAnswered({ ...some, volumeId: 4, requests: 8, bodyBytes: 80 });
    const { clients, volumes, requests } = watch.traffic(10);
    expect(requests).toBe(50);
    expect(clients).toEqual([
      expect.objectContaining({
        ...{ address: '10.0.0.5', userAgent: 'Go-http-client/1.1', requests: 50, bodyBytes: 4_280 },
        outcomes: { cache: 50, rdma: 0, passthrough: 0, error: 0 },
      }),
    ]);
    expect(volumes.map((row) => [row.volumeId, row.requests, row.bodyBytes]).toSorted()).toEqual([
      [3, 42, 4_200],
      [4, 8, 80],
    ]);
  });

  test('of an unknown volume count for their client alone, and those of our programs apart', () => {
    watch.lanesAnswered({ ...some, volumeId: -1, requests: 2, bodyBytes: 2 });
    watch.lanesAnswered({ ...some, userAgent: 'seaweed-rdma/1', requests: 5, bodyBytes: 5 });
    const { volumes, requests, ownRequests } = watch.traffic(10);
    expect([volumes, requests, ownRequests]).toEqual([[], 2, 5]);
  });

  test('are looked at for needles and lists, which counts nothing again', () => {
    watch.lanesAnswered({ ...some, requests: 100, bodyBytes: 0 });
    watch.lookAt(recordOf({ target: fid(3, 7) }), 60);
    watch.lookAt(recordOf({ target: fid(3, 8) }), 40);
    const { needles, requests, clients } = watch.traffic(10);
    expect(requests).toBe(100);
    expect(clients.map((row) => row.requests)).toEqual([100]);
    expect(needles.map((row) => [row.needleId, row.requests])).toEqual([
      [7n, 60],
      [8n, 40],
    ]);
    expect([...watch.ring.latest()].map(({ path }) => path)).toEqual(['/3,08…', '/3,07…']);
  });

  test("are no follower's: where there is one, each request is seen", () => {
    let changes = 0;
    watch.tail.onChange = () => {
      changes += 1;
    };
    expect(watch.mustSeeAll).toBe(false);
    const sink = { writableLength: 0, write: () => {}, end: () => {}, destroy: () => {} };
    const leave = watch.tail.follow(sink, () => true);
    expect([watch.mustSeeAll, changes]).toEqual([true, 1]);
    leave();
    expect([watch.mustSeeAll, changes]).toEqual([false, 2]);
  });
});
