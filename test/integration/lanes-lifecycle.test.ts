/** Connections that lanes have, when the proxy ends, is full, is reloaded, or loses its target; and clients that stand still. */
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import type { KeepAliveClient } from '../history/keep-alive-client.ts';
import { contentOf, LaneStage, pathOf, read, volumeId } from './lane-stage.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const isUcxThere = loadBinding().hasUcx;
const transport = 'inproc';
const mebibyte = 1_048_576;
const drainMs = 10_000;
/** Begins the path of needle 1, whose cookie is masked in logs and lists. */
const masked = `/${volumeId},01`;

describe('the end of the proxy', () => {
  test('idle connections of lanes end, and slow answers are finished', async () => {
    const stage = await LaneStage.start(scratch, { transport });
    const body = contentOf(9, 4 * mebibyte);
    stage.server.put(volumeId, 9n, body);
    await stage.held(200, pathOf(1));
    await stage.held(1, pathOf(9));
    await stage.held(1, pathOf(8));
    const slow = [];
    for (let i = 0; i < 20; i += 1) slow.push(await stage.stuckReader(pathOf(9)));
    const chunks = slow.map((socket) => {
      const came: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => came.push(chunk)).pause();
      return came;
    });
    await expect
      .poll(async () => (await stage.stats()).lanes?.bytesInFlight ?? 0)
      .toBeGreaterThan(0);
    const begunAt = performance.now();
    stage.proxy.signal('SIGTERM');
    await stage.proxy.line('draining');
    await pause(200);
    const ends = slow.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    for (const socket of slow) socket.resume();
    await Promise.all(ends);
    for (const came of chunks) {
      const text = Buffer.concat(came);
      expect(text.subarray(text.indexOf('\r\n\r\n') + 4).equals(body)).toBe(true);
    }
    expect((await stage.proxy.ended)[0]).toBe(0);
    expect(performance.now() - begunAt).toBeLessThan(drainMs - 2_000);
    await stage.close();
  });

  test('a second SIGTERM ends it at once, though a lane sends', async () => {
    const stage = await LaneStage.start(scratch, { transport });
    stage.server.put(volumeId, 9n, contentOf(9, 8 * mebibyte));
    await stage.heldOne(pathOf(9));
    await stage.heldOne(pathOf(8));
    const socket = await stage.stuckReader(pathOf(9));
    await expect.poll(async () => (await stage.stats()).lanes?.bytesInFlight).toBeGreaterThan(0);
    stage.proxy.signal('SIGTERM');
    await stage.proxy.line('draining');
    const begunAt = performance.now();
    stage.proxy.signal('SIGTERM');
    await stage.proxy.ended;
    expect(performance.now() - begunAt).toBeLessThan(2_000);
    socket.destroy();
    await stage.close();
  });
});

describe('limits', () => {
  test('a newcomer takes the place of the connection that rests longest in a lane', async () => {
    const stage = await LaneStage.start(scratch, { transport, limits: 'connections = 10\n' });
    const clients = await stage.held(10, pathOf(1));
    // A connection must have rested for a second; the first one has moved since.
    await pause(1_100);
    await read(clients[0] as KeepAliveClient, pathOf(1));
    await pause(300);
    const newcomer = stage.client();
    expect((await read(newcomer, pathOf(1))).status).toBe(200);
    expect((await stage.stats()).connections).toBeLessThanOrEqual(11);
    expect(await stage.metric('seaweed_rdma_client_connections_total', 'evicted')).toBe(1);
    // The client opens another connection where it was closed, which takes another place.
    const answered = await stage.answeredDuring(() =>
      read(clients[0] as KeepAliveClient, pathOf(1)),
    );
    expect(answered).toBe(1);
    await stage.close();
  });

  test('idle_timeout closes connections of lanes', async () => {
    const stage = await LaneStage.start(scratch, { transport, limits: 'idle_timeout = "1s"\n' });
    await stage.held(5, pathOf(1));
    await expect.poll(async () => (await stage.stats()).connections, { timeout: 5_000 }).toBe(0);
    expect(await stage.inLanes('connections')).toBe(0);
    await stage.close();
  });

  test('a client that reads nothing is reset by idle_timeout, and the bytes go home', async () => {
    const stage = await LaneStage.start(scratch, { transport, limits: 'idle_timeout = "1s"\n' });
    stage.server.put(volumeId, 9n, contentOf(9, 8 * mebibyte));
    const clients = [await stage.heldOne(pathOf(9)), await stage.heldOne(pathOf(8))];
    const stuck = await stage.stuckReader(pathOf(9));
    await expect.poll(async () => (await stage.stats()).lanes?.bytesInFlight).toBeGreaterThan(0);
    for (const client of clients) client.close();
    expect(await stage.post('/api/cache/evict', { all: true })).toEqual({ evicted: 2 });
    expect((await stage.stats()).cache.slabs).toBe(1);
    await stage.post('/api/cache/evict', { all: true });
    await expect.poll(async () => (await stage.stats()).connections, { timeout: 5_000 }).toBe(0);
    await expect.poll(async () => (await stage.stats()).cache.slabs, { timeout: 5_000 }).toBe(0);
    expect((await stage.stats()).lanes?.bytesInFlight).toBe(0);
    stuck.destroy();
    await stage.close();
  });
});

describe('a reload', () => {
  test('debug_headers are in the next answer of a connection that a lane has', async () => {
    const stage = await LaneStage.start(scratch, { transport });
    const [client, second] = (await stage.held(2, pathOf(1))) as [KeepAliveClient, KeepAliveClient];
    expect((await read(client, pathOf(1))).headers.has('x-rdma-source')).toBe(false);
    await stage.reload({ http: 'debug_headers = true\n' });
    expect((await read(client, pathOf(1))).headers.get('x-rdma-source')).toMatch(/^cache/);
    expect((await read(second, pathOf(1))).headers.get('x-rdma-source')).toMatch(/^cache/);
    await stage.reload({ http: 'debug_headers = false\n' });
    expect((await read(client, pathOf(1))).headers.has('x-rdma-source')).toBe(false);
    const lanes = await stage.answeredDuring(async () => {
      for (let i = 0; i < 5; i += 1) await read(client, pathOf(1));
    });
    expect(lanes).toBeGreaterThan(2);
    await stage.close();
  });

  test('with requests = "all" every request is logged, from the next one on', async () => {
    const stage = await LaneStage.start(scratch, { transport });
    const client = await stage.heldOne(pathOf(1));
    await stage.reload({ more: '[logging]\nrequests = "all"\n' });
    const count = 25;
    for (let i = 0; i < count; i += 1) await read(client, pathOf(1));
    const lines = (): number =>
      stage.proxy.lines.filter(
        ({ event, path }) => event === 'request' && String(path).startsWith(masked),
      ).length;
    await expect.poll(lines).toBe(count);
    await stage.reload({});
    const lanes = await stage.answeredDuring(async () => {
      for (let i = 0; i < 5; i += 1) await read(client, pathOf(1));
    });
    expect(lanes).toBeGreaterThan(2);
    await stage.close();
  });

  test('a read key bars the next read without a token', async () => {
    const file = scratch.write('security.toml', '');
    const seaweedfs = `security_toml = "${file}"\n`;
    const stage = await LaneStage.start(scratch, { transport, seaweedfs });
    const client = await stage.heldOne(pathOf(1));
    scratch.write('security.toml', '[jwt.signing.read]\nkey = "a key"\n');
    await stage.reload({});
    const answered = await stage.answeredDuring(async () => {
      await read(client, pathOf(1));
    });
    expect(answered).toBe(0);
    expect((await stage.stats()).requests.outcomes['passthrough']).toBeGreaterThan(0);
    await stage.close();
  });
});

test('a follower of requests sees each one, from the first on', async () => {
  const stage = await LaneStage.start(scratch, { transport });
  const client = await stage.heldOne(pathOf(1));
  const end = new AbortController();
  const { body } = await stage.follow('/api/requests/follow', end.signal);
  let text = '';
  const reading = (async () => {
    for await (const chunk of body as ReadableStream<Uint8Array>) text += Buffer.from(chunk);
  })().catch(() => undefined);
  const count = 25;
  for (let i = 0; i < count; i += 1) await read(client, pathOf(1));
  const seen = (): number => text.split(`"path":"${masked}`).length - 1;
  await expect.poll(seen).toBe(count);
  end.abort();
  await reading;
  await stage.close();
});

test('eight lanes answer on two cores', async () => {
  const stage = await LaneStage.start(scratch, { transport, lanes: 8 });
  const clients = await stage.held(16, pathOf(1));
  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < 50; i += 1)
        expect((await read(client, pathOf(1))).body).toEqual(contentOf(1));
    }),
  );
  const { lanes } = await stage.stats();
  expect(lanes?.lanes.map(({ connections }) => connections)).toEqual(Array(8).fill(2));
  expect(lanes?.lanes.every(({ requests }) => requests >= 100)).toBe(true);
  expect(await stage.close()).toBe(0);
});

describe.skipIf(!isUcxThere)('a target', () => {
  test.each(['SIGKILL', 'SIGSTOP'] as const)('that gets %s fails no read', async (signal) => {
    const stage = await LaneStage.start(scratch, { transport: 'ucx' });
    const clients = await stage.held(8, pathOf(1));
    let isOver = false;
    const statuses = new Map<number, number>();
    const reads = clients.map(async (client) => {
      while (!isOver) {
        const { status, body } = await read(client, pathOf(1));
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        expect(body).toEqual(contentOf(1));
      }
    });
    await pause(200);
    stage.target?.signal(signal);
    await pause(2_500);
    isOver = true;
    await Promise.all(reads);
    expect([...statuses.keys()]).toEqual([200]);
    // A change that nobody could tell the proxy of.
    stage.server.put(volumeId, 1n, contentOf(77));
    for (const client of clients)
      expect((await read(client, pathOf(1))).body).toEqual(contentOf(77));
    await stage.close();
  });

  test('that stands still while the proxy ends keeps no request waiting beyond its deadline', async () => {
    const stage = await LaneStage.start(scratch, { transport: 'ucx' });
    const clients = await stage.held(20, pathOf(1));
    await stage.target?.freeze();
    const reads = clients.map((client) => read(client, pathOf(1)));
    await expect.poll(() => stage.inLanes('questions')).toBeGreaterThan(0);
    const begunAt = performance.now();
    stage.proxy.signal('SIGTERM');
    for (const { status, body } of await Promise.all(reads)) {
      expect([status, body]).toEqual([200, contentOf(1)]);
    }
    expect((await stage.proxy.ended)[0]).toBe(0);
    expect(performance.now() - begunAt).toBeLessThan(drainMs - 2_000);
    await stage.close();
  });
});
