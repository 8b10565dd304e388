/** Many requests at once on connections that go to lanes and come back: each has its own answer, whole and in order. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { readAnswers } from '../hostile/client-parser.ts';
import { Chance } from '../hostile/segments.ts';
import { RawClient } from './http-front-fixture.ts';
import { contentOf, LaneStage, pathOf, read, volumeId } from './lane-stage.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const transports = loadBinding().hasUcx ? (['inproc', 'ucx'] as const) : (['inproc'] as const);
const mebibyte = 1_048_576;
const clients: RawClient[] = [];
afterAll(() => {
  for (const client of clients) client.socket.destroy();
});

function rawClient(stage: LaneStage): RawClient {
  const client = new RawClient(stage.port);
  clients.push(client);
  return client;
}

function request(path: string, method = 'GET', ...lines: readonly string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n');
}

interface Asked {
  readonly method: string;
  readonly bytes: string;
  readonly status: number;
  readonly body: string;
}

/** Plain reads mostly, which are published sooner or later; and others, which are not. */
function anyRequest(chance: Chance): Asked {
  const id = 1 + chance.below(6);
  const whole = contentOf(id).toString('latin1');
  const ownId = `X-Amz-Request-Id: ${chance.below(1_000_000)}`;
  switch (chance.below(10)) {
    case 0:
      return { method: 'HEAD', bytes: request(pathOf(id), 'HEAD'), status: 200, body: '' };
    case 1: {
      const bytes = request(pathOf(id), 'GET', 'Range: bytes=10-19');
      return { method: 'GET', bytes, status: 206, body: whole.slice(10, 20) };
    }
    case 2:
      return { method: 'GET', bytes: request(pathOf(99)), status: 404, body: '' };
    case 3:
      return { method: 'GET', bytes: request(pathOf(id), 'GET', ownId), status: 200, body: whole };
    default:
      return { method: 'GET', bytes: request(pathOf(id)), status: 200, body: whole };
  }
}

describe.each(transports)('over %s', (transport) => {
  test('requests of all kinds, cut anywhere, have their answers in their order', async () => {
    const stage = await LaneStage.start(scratch, { transport, lanes: 3 });
    for (let id = 1; id <= 6; id += 1) {
      for (let reads = 0; reads < 3; reads += 1) await read(stage.client(), pathOf(id));
    }
    const answered = await stage.answeredDuring(() =>
      Promise.all(
        Array.from({ length: 12 }, async (_, seed) => {
          const chance = new Chance(seed);
          const client = rawClient(stage);
          const asked: Asked[] = [];
          for (let burst = 0; burst < 25; burst += 1) {
            const some = Array.from({ length: 1 + chance.below(12) }, () => anyRequest(chance));
            asked.push(...some);
            let bytes = some.map((each) => each.bytes).join('');
            while (bytes.length > 0) {
              const count = 1 + chance.below(bytes.length);
              client.send(bytes.slice(0, count));
              bytes = bytes.slice(count);
              if (chance.below(3) === 0) await pause(chance.below(3));
            }
            const methods = asked.map(({ method }) => method);
            if (chance.below(2) === 0) await client.until((text) => isWhole(text, methods));
          }
          const methods = asked.map(({ method }) => method);
          const { answers, rest } = readAnswers(
            await client.until((text) => isWhole(text, methods)),
            methods,
          );
          expect(rest).toBe('');
          for (const [at, { status, body }] of asked.entries()) {
            const answer = answers[at] as string;
            expect(answer.slice(9, 12)).toBe(String(status));
            if (status !== 404) expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe(body);
          }
        }),
      ),
    );
    expect(answered).toBeGreaterThan(100);
    await expect.poll(async () => (await stage.stats()).lanes?.bytesInFlight).toBe(0);
    expect(await stage.close()).toBe(0);
  });
});

function isWhole(text: string, methods: readonly string[]): boolean {
  return readAnswers(text, methods).answers.length === methods.length;
}

describe.each(['lease', 'immutable'] as const)('under %s', (consistency) => {
  test('a write through the proxy is seen by the next read of a connection that a lane has', async () => {
    const cache = `consistency = "${consistency}"\nlease = "5s"\n`;
    const stage = await LaneStage.start(scratch, {
      transport: transports.at(-1) as 'inproc',
      cache,
    });
    const readers = await stage.held(4, pathOf(2));
    const writer = stage.client();
    const answered = await stage.answeredDuring(async () => {
      for (let version = 20; version < 60; version += 1) {
        const body = contentOf(version);
        const put = await writer.request({ method: 'PUT', path: pathOf(2), body });
        expect(put.status).toBe(201);
        for (let reads = 0; reads < 5; reads += 1) {
          const seen = await Promise.all(readers.map((reader) => read(reader, pathOf(2))));
          expect(seen.every((answer) => answer.body.equals(body))).toBe(true);
        }
      }
    });
    expect(answered).toBeGreaterThan(100);
    await stage.close();
  });
});

describe('a client in a lane', () => {
  test('that asks for much before it reads gets all of it', async () => {
    const stage = await LaneStage.start(scratch, { transport: 'inproc' });
    await stage.held(1, pathOf(1));
    const count = 4_000;
    const client = rawClient(stage);
    client.send(request(pathOf(1)));
    await client.until((text) => isWhole(text, ['GET']));
    client.received = '';
    client.socket.pause();
    for (let sent = 0; sent < count; sent += 1) {
      client.send(request(pathOf(1), 'GET', `X-Amz-Request-Id: ${sent % 2 === 0 ? 'a' : 'b'}`));
    }
    await pause(300);
    client.socket.resume();
    const body = contentOf(1).toString('latin1');
    const isThere = (text: string): boolean => text.length > count * body.length;
    await client.until((text) => isThere(text) && text.split(body).length > count);
    expect(client.received.split(body)).toHaveLength(count + 1);
    await stage.close();
  });

  test('that is gone in the middle of an answer leaves nothing behind', async () => {
    const stage = await LaneStage.start(scratch, { transport: 'inproc' });
    stage.server.put(volumeId, 9n, contentOf(9, 8 * mebibyte));
    const others = [await stage.heldOne(pathOf(9)), await stage.heldOne(pathOf(8))];
    const stuck = [];
    for (let i = 0; i < 8; i += 1) stuck.push(await stage.stuckReader(pathOf(9)));
    await expect.poll(async () => (await stage.stats()).lanes?.bytesInFlight).toBeGreaterThan(0);
    for (const [at, socket] of stuck.entries()) {
      if (at % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    }
    await expect.poll(async () => (await stage.stats()).connections).toBe(others.length);
    expect((await stage.stats()).lanes?.bytesInFlight).toBe(0);
    await stage.close();
  });

  test('over a unix socket is answered by the lane, too', async () => {
    const path = join(scratch.folder, 'front.sock');
    const stage = await LaneStage.start(scratch, { transport: 'inproc', listen: `unix:${path}` });
    const socket = connect(path);
    const ask = async (): Promise<void> => {
      socket.write(request(pathOf(1)));
      let bytes = 0;
      while (bytes < 1_000) bytes += ((await once(socket, 'data')) as [Buffer])[0].length;
    };
    for (let reads = 0; reads < 4; reads += 1) await ask();
    const answered = await stage.answeredDuring(async () => {
      for (let reads = 0; reads < 10; reads += 1) await ask();
    });
    expect(answered).toBe(10);
    socket.destroy();
    await stage.close();
  });
});
