/** The open loop against servers that are known to be slow: it must see the queue that a waiting client hides. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { askInTurn } from './load.ts';
import type { Needles } from './needles.ts';
import { askOpenLoop, type OpenLoopRun } from './open-loop.ts';

const needles: Needles = { bytes: 10, paths: ['/1,01', '/1,02'] };
const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789';
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

describe('the open loop', () => {
  test('asks as often as it was told, and says how long answers take', async () => {
    const run = await ask(await serverThat(oneByOne(10)), 50);
    expect(run.requests).toBe(50);
    expect(run.unanswered).toBe(0);
    expect(run.p50Us).toBeGreaterThan(8_000);
    expect(run.p50Us).toBeLessThan(100_000);
  });

  test('counts the time that requests spend in the queue of a server that is too slow', async () => {
    // 10 ms each, one at a time, twice as many as it can do: after a second the queue is half a second long.
    const port = await serverThat(oneByOne(10));
    const run = await ask(port, 200);
    expect(run.p99Us).toBeGreaterThan(300_000);
    expect(run.p50Us).toBeGreaterThan(100_000);
    expect(run.unanswered).toBe(0);
    // A client that waits for each answer sees nothing of it.
    const waited = await askInTurn(port, needles, 200);
    expect(Math.max(...waited)).toBeLessThan(200_000);
  });

  test('counts all that was due while a server did nothing for a while', async () => {
    const run = await ask(await serverThat(stallsOnce(400)), 200);
    // Eighty requests became due meanwhile, and the first of them waited for all of it.
    expect(run.p99Us).toBeGreaterThan(300_000);
    expect(run.requests).toBe(200);
  });

  test('an answer that is no 200 ends it', async () => {
    const port = await serverThat(async () => 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
    await expect(ask(port, 100)).rejects.toThrow('503');
  });
});

function ask(port: number, requestsPerSecond: number): Promise<OpenLoopRun> {
  const shape = { connections: 16, seconds: 1, warmUpSeconds: 0 };
  return askOpenLoop({ port, needles, requestsPerSecond, ...shape });
}

type Serve = () => Promise<string>;

/** Each request waits for those before it. */
function oneByOne(serviceMs: number): Serve {
  let last: Promise<unknown> = Promise.resolve();
  return async () => {
    last = last.then(() => pause(serviceMs));
    await last;
    return answer;
  };
}

/** From its 20th request on. */
function stallsOnce(stallMs: number): Serve {
  let count = 0;
  let stall: Promise<unknown> = Promise.resolve();
  return async () => {
    count += 1;
    if (count === 20) stall = pause(stallMs);
    await stall;
    return answer;
  };
}

async function serverThat(serve: Serve): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    // One request at a time on a connection, and each arrives whole.
    socket.on('data', () => void serve().then((text) => socket.write(text)));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
