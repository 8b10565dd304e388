/**
 * 256 connections that said nothing were all that the admin listener took: the next one was reset, a kubelet's /livez too,
 * and the proxy would have been started anew.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type RunningAdmin, startAdmin } from '../../src/admin/admin-server.ts';
import { stats } from '../unit/proxy-status.ts';
import { adminPlace } from './admin-place.ts';
import { holdConnections, type IdleConnections } from './idle-connections.ts';

const held: IdleConnections[] = [];
let admin: RunningAdmin | undefined;

afterEach(async () => {
  for (const each of held.splice(0)) each.close();
  await admin?.close();
});

/** Answers to /metrics, which the test holds back. */
let metrics: () => Promise<{ type: string; text: string }>;

async function started(): Promise<number> {
  metrics = async () => ({ type: 'text/plain', text: '' });
  admin = await startAdmin({
    role: 'target',
    version: '0',
    ...adminPlace,
    health: () => ({ status: 'ok', checks: {} }),
    readiness: () => ({ isReady: true, detail: '' }),
    stats: () => stats,
    metrics: () => metrics(),
  });
  return Number(admin.address.split(':')[1]);
}

/** As a kubelet: a connection of its own, and a second for the answer. */
async function probe(port: number, path = '/livez', from = '127.0.0.1'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: '127.0.0.1', port, localAddress: from });
    let text = '';
    const timer = setTimeout(() => reject(new Error('no answer within a second')), 1_000);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text.split('\r\n')[0] ?? '');
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
  });
}

const ok = 'HTTP/1.1 200 OK';
const asks = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

const withBody = (head: string): string => `${head.trimEnd()}\r\nContent-Length: 1\r\n\r\nx`;

describe.each([300, 2_000])('/livez beside %d connections', (count) => {
  test.each([
    ['that say nothing', ''],
    ['that drip a head', 'GET /livez HTTP/1.1\r\nX: '],
    ['that asked once and rest', asks('/livez')],
    ['that drip a body', 'POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nx'],
  ])('%s', async (_, says) => {
    const port = await started();
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      for (let at = 0; at < 5; at += 1) {
        held.push(await holdConnections({ port, count: count / 10, says, from: host }));
        expect(await probe(port)).toBe(ok);
      }
    }
    expect(await probe(port, '/readyz')).toBe(ok);
    expect(await probe(port, '/metrics', '127.0.0.3')).toBe(ok);
  });
});

test('one address has no more than its share, and takes no place of others', async () => {
  const port = await started();
  const other = await holdConnections({ port, count: 10, from: '127.0.0.2' });
  const many = await holdConnections({ port, count: 100 });
  held.push(other, many);
  // What has come just now makes no place: the rest went to the reserve, as far as that goes.
  await expect.poll(() => many.open).toBe(64 + 16);
  expect(await probe(port)).toBe(ok);
  await new Promise((resolve) => setTimeout(resolve, 100));
  held.push(await holdConnections({ port, count: 20 }));
  await expect.poll(() => many.open).toBeLessThanOrEqual(60);
  expect(await probe(port)).toBe(ok);
  expect(other.open).toBe(10);
});

test('where all are busy, probes alone are answered', async () => {
  const port = await started();
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  metrics = async () => {
    asked += 1;
    await gate;
    return { type: 'text/plain', text: '' };
  };
  for (let host = 1; host <= 4; host += 1) {
    const says = asks('/metrics');
    held.push(await holdConnections({ port, count: 64, says, from: `127.0.0.${host}` }));
  }
  await expect.poll(() => asked).toBe(256);
  expect(await probe(port)).toBe(ok);
  expect(await probe(port, '/stats')).toBe('HTTP/1.1 503 Service Unavailable');
  held.push(await holdConnections({ port, count: 40, from: '127.0.0.9' }));
  expect(await probe(port)).toBe(ok);
  release();
});

test('a connection that asks for more than one probe ends, so that a newcomer costs one', async () => {
  const port = await started();
  const socket = connect({ host: '127.0.0.1', port });
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.write(asks('/livez').repeat(14));
  await once(socket, 'close');
  expect(text.split(ok).length - 1).toBeLessThan(2);
  expect(await probe(port)).toBe(ok);
});

test('a body that comes after the answer keeps no connection', async () => {
  const port = await started();
  const says = 'GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n';
  for (let host = 1; host <= 4; host += 1) {
    const pinned = Array.from({ length: 64 }, () =>
      answeredThenSends(port, says, `127.0.0.${host}`),
    );
    held.push(...(await Promise.all(pinned)));
  }
  for (let at = 1; at <= 20; at += 1) {
    const newcomer = await holdConnections({ port, count: 1, says: asks('/metrics') });
    held.push(newcomer);
    expect(await probe(port, '/metrics', `127.0.0.${1 + (at % 4)}`)).toBe(ok);
  }
});

/** Sends the one byte that its request owes when it has the answer. */
async function answeredThenSends(
  port: number,
  says: string,
  from: string,
): Promise<IdleConnections> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from });
  socket.on('error', () => undefined);
  socket.write(says);
  await once(socket, 'data');
  socket.resume().write('x');
  return { open: 1, close: () => socket.destroy() };
}

describe('where all are busy', () => {
  /** None of the addresses has more than another one, so that their newcomers take no place. */
  async function allBusy(addresses: number): Promise<number> {
    const port = await started();
    let asked = 0;
    metrics = () => {
      asked += 1;
      return new Promise(() => undefined);
    };
    const [count, says] = [256 / addresses, asks('/metrics')];
    for (let host = 1; host <= addresses; host += 1) {
      held.push(await holdConnections({ port, count, says, from: `127.0.0.${host}` }));
    }
    await expect.poll(() => asked).toBe(256);
    return port;
  }

  test.each([4, 8])(
    'connections of %d addresses that say nothing keep no probe out',
    async (hosts) => {
      const port = await allBusy(hosts);
      for (let at = 0; at < 20; at += 1) {
        const before = holdConnections({ port, count: 40, from: '127.0.0.2' });
        const answer = probe(port);
        const after = ['127.0.0.1', '127.0.0.2'].map((from) =>
          holdConnections({ port, count: 20, from }),
        );
        expect(await answer).toBe(ok);
        held.push(...(await Promise.all([before, ...after])));
      }
      const open = (): number => held.reduce((sum, each) => sum + each.open, 0);
      await expect.poll(open).toBe(256 + 16);
    },
  );

  test('a newcomer that takes the place of a silent one in the reserve is in the reserve', async () => {
    const port = await allBusy(8);
    held.push(await holdConnections({ port, count: 1 }));
    expect(await probe(port, '/metrics')).toBe('HTTP/1.1 503 Service Unavailable');
    expect(await probe(port)).toBe(ok);
  });
});

test('where all are busy, an address with fewer connections than another one takes its place', async () => {
  const port = await started();
  let asked = 0;
  metrics = () => {
    asked += 1;
    return asked > 256
      ? Promise.resolve({ type: 'text/plain', text: '' })
      : new Promise(() => undefined);
  };
  for (let host = 1; host <= 6; host += 1) {
    const says = asks('/metrics');
    held.push(await holdConnections({ port, count: 50, says, from: `127.0.0.${host}` }));
  }
  await expect.poll(() => asked).toBeGreaterThanOrEqual(256);
  expect(await probe(port, '/metrics', '127.0.0.7')).toBe(ok);
});

test.each([
  ['requests', asks('/metrics')],
  ['requests with bodies that no handler reads', withBody(asks('/metrics'))],
])(
  'a pipeline of many %s has as many under way as is configured, and is answered',
  async (_, request) => {
    const port = await started();
    const { requestsPerConnectionMax } = adminPlace.limits;
    const mayAnswer = Promise.withResolvers<void>();
    let asked = 0;
    metrics = async () => {
      asked += 1;
      await mayAnswer.promise;
      return { type: 'text/plain', text: '' };
    };
    const many = await holdConnections({ port, count: 1, says: request.repeat(300) });
    held.push(many);
    await expect.poll(() => asked).toBeGreaterThan(0);
    expect(await probe(port)).toBe(ok);
    // One more waits for its body.
    expect(asked).toBeLessThanOrEqual(requestsPerConnectionMax + 1);
    mayAnswer.resolve();
    // Those that are under way together share one look at the metrics.
    await expect.poll(() => asked, { timeout: 20_000 }).toBeGreaterThanOrEqual(300 / 3);
    expect(many.open).toBe(1);
  },
);

test('a probe is answered before most of a thousand requests that came together', async () => {
  const port = await started();
  let asked = 0;
  metrics = async () => {
    asked += 1;
    return { type: 'text/plain', text: '' };
  };
  held.push(await holdConnections({ port, count: 64, says: asks('/metrics').repeat(16) }));
  await expect.poll(() => asked, { interval: 1 }).toBeGreaterThan(0);
  expect(await probe(port)).toBe(ok);
  expect(asked).toBeLessThan(500);
  await expect.poll(() => asked).toBeGreaterThan(1_000);
});

/** Computes for so long. */
function work(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

test('requests that wait for their turns keep no probe out of the reserve', async () => {
  const port = await started();
  metrics = async () => {
    work(20);
    return { type: 'text/plain', text: '' };
  };
  held.push(await holdConnections({ port, count: 64, says: asks('/metrics').repeat(16) }));
  held.push(await holdConnections({ port, count: 40, says: asks('/metrics') }));
  for (let at = 0; at < 5; at += 1) expect(await probe(port)).toBe(ok);
});

test.each([
  ['without a Host, which Node refuses by itself', 'GET / HTTP/1.1\r\n\r\n'],
  ['behind the one that ended its connection', asks('/livez')],
])('pipelines of thousands of requests %s keep no probe waiting', async (_, request) => {
  const port = await started();
  const says = request.repeat(65_000 / request.length);
  held.push(await holdConnections({ port, count: 24, says }));
  expect(await probe(port)).toBe(ok);
});

test('a body for which there is no page is not read', async () => {
  const port = await started();
  const body = `[${'{},'.repeat(300_000)}{"constructor":{}}]`;
  const head = `POST /nope HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const answers: string[] = [];
  const sockets = Array.from({ length: 40 }, () => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => answers.push(bytes.toString('latin1').slice(0, 22)));
    socket.write(head + body.slice(0, -1));
    held.push({ open: 1, close: () => socket.destroy() });
    return socket;
  });
  await expect.poll(() => answers.length).toBe(40);
  for (const socket of sockets) socket.write(body.slice(-1));
  expect(await probe(port)).toBe(ok);
  expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 404 Not Found']));
});

test('a connection that says nothing is ended', async () => {
  const port = await started();
  const silent = await holdConnections({ port, count: 3 });
  held.push(silent);
  await expect.poll(() => silent.open, { timeout: 13_000, interval: 200 }).toBe(0);
}, 20_000);
