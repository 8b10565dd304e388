/** Freshness and counts of what lanes answer: every change is seen by the next read of a connection that a lane has. */
import { describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { contentOf, LaneStage, pathOf, read, volumeId } from './lane-stage.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const transports = loadBinding().hasUcx ? (['inproc', 'ucx'] as const) : (['inproc'] as const);

describe.each(transports)('over %s', (transport) => {
  let started: Promise<LaneStage> | undefined;
  const stageOf = (): Promise<LaneStage> => (started ??= LaneStage.start(scratch, { transport }));

  test('a lane answers the reads of a connection that it has', async () => {
    const stage = await stageOf();
    const client = await stage.heldOne(pathOf(1));
    const answered = await stage.answeredDuring(async () => {
      for (let sent = 0; sent < 10; sent += 1) {
        const { status, body, headers } = await read(client, pathOf(1));
        expect([status, body]).toEqual([200, contentOf(1)]);
        expect(headers.get('x-amz-request-id')).toMatch(/^[0-9A-F]{24}$/);
        expect(Math.abs(Date.parse(headers.get('date') ?? '') - Date.now())).toBeLessThan(2_000);
      }
    });
    expect(answered).toBe(10);
  });

  test('a write through the proxy is seen by the next read, and so is a delete', async () => {
    const stage = await stageOf();
    const client = await stage.heldOne(pathOf(2));
    const writer = stage.client();
    for (let version = 20; version < 30; version += 1) {
      const body = contentOf(version);
      const written = await writer.request({ method: 'PUT', path: pathOf(2), body });
      expect(written.status).toBe(201);
      for (let reads = 0; reads < 4; reads += 1) {
        expect((await read(client, pathOf(2))).body).toEqual(body);
      }
    }
    expect((await writer.request({ method: 'DELETE', path: pathOf(2) })).status).toBe(202);
    expect((await read(client, pathOf(2))).status).toBe(404);
  });

  test('a write at the volume server is seen by the next read, and so is a delete', async () => {
    const stage = await stageOf();
    const client = await stage.heldOne(pathOf(3));
    for (let version = 30; version < 60; version += 1) {
      const body = contentOf(version);
      stage.server.put(volumeId, 3n, body);
      for (let reads = 0; reads < 4; reads += 1) {
        expect((await read(client, pathOf(3))).body).toEqual(body);
      }
    }
    stage.server.delete(volumeId, 3n);
    expect((await read(client, pathOf(3))).status).toBe(404);
  });

  test('what was evicted is read anew', async () => {
    const stage = await stageOf();
    const client = await stage.heldOne(pathOf(4));
    const before = (await stage.stats()).requests.outcomes['rdma'] as number;
    expect(await stage.post('/api/cache/evict', { all: true })).toMatchObject({
      evicted: expect.any(Number),
    });
    const answered = await stage.answeredDuring(async () => {
      expect((await read(client, pathOf(4))).body).toEqual(contentOf(4));
    });
    expect(answered).toBe(0);
    expect((await stage.stats()).requests.outcomes['rdma']).toBe(before + 1);
  });

  test('of a volume that is unmounted nothing is answered, and of the others all is', async () => {
    const stage = await stageOf();
    const client = await stage.heldOne(pathOf(5));
    const other = await stage.heldOne(pathOf(5, 4));
    stage.server.unmount(volumeId);
    await expect
      .poll(async () => (await read(client, pathOf(5))).status, { timeout: 10_000, interval: 20 })
      .toBe(404);
    const answered = await stage.answeredDuring(async () => {
      expect((await read(client, pathOf(5))).status).toBe(404);
      expect((await read(other, pathOf(5, 4))).status).toBe(200);
    });
    expect(answered).toBe(1);
    stage.server.mount(volumeId);
    await expect
      .poll(async () => (await read(client, pathOf(5))).status, { timeout: 10_000, interval: 20 })
      .toBe(200);
  });

  test('every request is counted once: by outcome, by client, by volume', async () => {
    const stage = await stageOf();
    const clients = await stage.held(6, pathOf(6));
    const before = await countsOf(stage);
    let sent = 0;
    await Promise.all(
      clients.map(async (client, at) => {
        for (let i = 0; i < 40; i += 1) {
          sent += 1;
          const volume = (i + at) % 5 === 0 ? 4 : volumeId;
          const isOther = (i * 7 + at) % 4 === 0;
          const headers = i % 9 === 0 ? { Range: 'bytes=0-9' } : {};
          const path = pathOf(isOther ? 7 : 6, volume);
          const answer = await client.request({
            method: i % 6 === 5 ? 'HEAD' : 'GET',
            path,
            headers,
          });
          expect([200, 206]).toContain(answer.status);
        }
      }),
    );
    await expect.poll(async () => (await countsOf(stage)).total - before.total).toBe(sent);
    const after = await countsOf(stage);
    expect(after.metric - before.metric).toBe(sent);
    expect(after.byClient - before.byClient).toBe(sent);
    expect(after.byVolume - before.byVolume).toBe(sent);
    expect(after.durations - before.durations).toBe(sent);
    expect(after.ofLanes).toBeGreaterThan(before.ofLanes);
  });
});

interface Counts {
  readonly total: number;
  readonly metric: number;
  readonly byClient: number;
  readonly byVolume: number;
  readonly durations: number;
  readonly ofLanes: number;
}

interface Row {
  readonly requests: number;
}

async function countsOf(stage: LaneStage): Promise<Counts> {
  const { requests, lanes } = await stage.stats();
  const traffic = (await stage.get('/api/traffic')) as {
    readonly clients: readonly Row[];
    readonly volumes: readonly Row[];
  };
  const sum = (rows: readonly Row[]): number => rows.reduce((all, row) => all + row.requests, 0);
  return {
    total: requests.requests,
    metric: await stage.metric('seaweed_rdma_requests_total'),
    byClient: sum(traffic.clients),
    byVolume: sum(traffic.volumes),
    durations: await stage.metric('seaweed_rdma_request_duration_seconds_count'),
    ofLanes: sum(lanes?.lanes ?? []),
  };
}
