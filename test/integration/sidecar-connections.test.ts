/** 1,024 connections that said nothing, or too little, were all that the sidecar took: every mount's next one was reset. */
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { holdConnections, type IdleConnections } from './idle-connections.ts';
import { scratchFolder } from './scratch.ts';
import {
  ask,
  metrics,
  mountRead,
  type SidecarStage,
  startSidecarStage,
  sumOf,
} from './sidecar-stage.ts';

const scratch = scratchFolder();
const held: IdleConnections[] = [];
let stage: SidecarStage | undefined;

afterEach(async () => {
  for (const each of held.splice(0)) each.close();
  await stage?.proxy.stop();
});

async function staged(sidecar: string, rdma = ''): Promise<SidecarStage> {
  stage = await startSidecarStage(scratch, { transport: 'inproc', sidecar, rdma });
  return stage;
}

async function hold(
  { sidecar }: SidecarStage,
  options: { count: number; says?: string; from?: string },
): Promise<IdleConnections> {
  const connections = await holdConnections({ port: Number(new URL(sidecar).port), ...options });
  held.push(connections);
  return connections;
}

const head = 'Host: localhost\r\n';
const owesBody = `POST /rdma/read HTTP/1.1\r\n${head}Content-Length: 1000\r\n\r\n`;
const readOf = (stage: SidecarStage): string =>
  `GET /read?file_id=${stage.needles.large.fid}&size=10&volume_server=${stage.upstream} HTTP/1.1\r\n${head}\r\n`;

describe.each([300, 1_100])('a mount beside %d connections', (count) => {
  test.each([
    ['that say nothing', ''],
    ['that drip a head', 'GET /health HTTP/1.1\r\nX: '],
    ['that asked once and rest', `GET /health HTTP/1.1\r\n${head}\r\n`],
    ['that owe a body', owesBody],
    ['that owe a body to what answers without it', owesBody.replace('POST', 'GET')],
  ])(
    '%s',
    async (_, says) => {
      const fresh = await staged('requests_in_flight = 100\n');
      const { fid, bytes } = fresh.needles.plain;
      for (let at = 0; at < 5; at += 1) {
        await hold(fresh, { count: count / 5, says });
        expect((await ask(fresh.sidecar, '/health')).status).toBe(200);
        expect((await mountRead(fresh, fid)).body.equals(bytes)).toBe(true);
      }
      const open = sumOf(await metrics(fresh.admin), 'seaweed_rdma_sidecar_connections');
      expect(open).toBeLessThanOrEqual(1_024);
    },
    30_000,
  );
});

test('where all are busy, an address with fewer connections takes a place, and another one is refused', async () => {
  const fresh = await staged('connections = 20\n', 'simulated_latency = "5s"\n');
  const busy = await hold(fresh, { count: 20, says: readOf(fresh) });
  const inFlight = 'seaweed_rdma_sidecar_requests_in_flight';
  await expect.poll(async () => sumOf(await metrics(fresh.admin), inFlight)).toBe(20);
  await expect(ask(fresh.sidecar, '/health')).rejects.toThrow();
  expect(busy.open).toBe(20);
  expect(await healthFrom(fresh, '127.0.0.2')).toBe('HTTP/1.1 200 OK');
  await expect.poll(() => busy.open).toBe(19);
  const counted = await metrics(fresh.admin);
  expect(sumOf(counted, 'seaweed_rdma_sidecar_connections_refused_total')).toBe(1);
  expect(sumOf(counted, 'seaweed_rdma_sidecar_connections_evicted_total')).toBe(1);
}, 30_000);

test('connections_per_address bounds one address, and takes no place of others', async () => {
  const fresh = await staged('connections = 20\nconnections_per_address = 12\n');
  const other = await hold(fresh, { count: 8, from: '127.0.0.2' });
  const many = await hold(fresh, { count: 60 });
  await expect.poll(() => many.open).toBe(12);
  expect(other.open).toBe(8);
}, 30_000);

test('one connection has no more than a few requests under way, and the others wait', async () => {
  const fresh = await staged('', 'simulated_latency = "5s"\n');
  const few = await hold(fresh, { count: 1, says: readOf(fresh).repeat(4) });
  const many = await hold(fresh, { count: 1, says: readOf(fresh).repeat(200) });
  const inFlight = async (): Promise<number> =>
    sumOf(await metrics(fresh.admin), 'seaweed_rdma_sidecar_requests_in_flight');
  await expect.poll(inFlight).toBe(8);
  expect([few.open, many.open]).toEqual([1, 1]);
}, 30_000);

function healthFrom({ sidecar }: SidecarStage, from: string): Promise<string> {
  const { hostname, port } = new URL(sidecar);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), localAddress: from });
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text.split('\r\n')[0] ?? ''));
    socket.write(`GET /health HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
  });
}
