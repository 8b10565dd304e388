/** Copied or in two pieces, an answer is the same bytes: below, at and above the limit, to clients that read at once or late. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { NeedleOutcome } from '../../src/needle/needle-outcome.ts';
import { copiedBytesMax } from '../../src/proxy/front/deliver.ts';
import { type FrontFixture, needleAnswer, startFront } from './http-front-fixture.ts';

const limit = copiedBytesMax;
const sizes = [1, limit - 1, limit, limit + 1, 2 * limit];
/** More than the kernel takes of a client that does not read. */
const lateCount = 600;

let fixture: FrontFixture;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await fixture.close();
});

/** By size: how many bodies were copied beside their heads, and how many left from where they lay. */
interface Seen {
  readonly copied: Map<number, number>;
  readonly lent: Map<number, number>;
  released: number;
}

/** Answers GET /SIZE/NUMBER; whoever reads a body after its release finds other bytes. */
function answerTo(target: string, seen: Seen): NeedleOutcome {
  const [, size, number] = target.split('/');
  const body = bodyOf(Number(size), Number(number));
  const outcome = needleAnswer(body) as Extract<NeedleOutcome, { kind: 'answer' }>;
  const head = Buffer.from(outcome.answer.head);
  const count = (counts: Map<number, number>): void => {
    counts.set(body.length, (counts.get(body.length) ?? 0) + 1);
  };
  const flat = {
    headBytes: head.length,
    copyHeadTo(to: Buffer): void {
      count(seen.lent);
      head.copy(to);
    },
    copyTo(to: Buffer): void {
      count(seen.copied);
      body.copy(to, head.copy(to));
    },
  };
  const release = (): void => {
    seen.released += 1;
    body.fill('?');
  };
  return { ...outcome, answer: { ...outcome.answer, flat }, release };
}

function bodyOf(bytes: number, number: number): Buffer {
  return Buffer.alloc(bytes, `needle ${number} of ${bytes}; `);
}

function answersTo(asked: readonly string[]): Buffer {
  return Buffer.concat(
    asked.flatMap((target) => {
      const [, size, number] = target.split('/');
      const head = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\nServer: s\r\n\r\n`;
      return [Buffer.from(head), bodyOf(Number(size), Number(number))];
    }),
  );
}

async function start(bytesMax: number | undefined): Promise<Seen> {
  const seen: Seen = { copied: new Map(), lent: new Map(), released: 0 };
  fixture = await startFront({
    upstreamUrl: 'http://127.0.0.1:1',
    ...(bytesMax !== undefined && { copiedBytesMax: bytesMax }),
    serve: ({ target }) => answerTo(target, seen),
  });
  return seen;
}

/** What came, as many bytes as there should be; `lateMs` after it was asked for. */
async function ask(targets: readonly string[], bytes: number, lateMs: number): Promise<Buffer> {
  const socket = connect({ host: '127.0.0.1', port: fixture.front.port });
  sockets.push(socket);
  await once(socket, 'connect');
  socket.write(targets.map((target) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  if (lateMs > 0) await pause(lateMs);
  const chunks: Buffer[] = [];
  let came = 0;
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    came += chunk.length;
  });
  await expect.poll(() => came, { timeout: 10_000 }).toBe(bytes);
  return Buffer.concat(chunks);
}

describe.each([
  ['the limit that is set', undefined, sizes.filter((size) => size <= limit)],
  ['everything in two pieces', 0, []],
  ['everything copied', 2 * limit, sizes],
])('%s', (_, bytesMax, copied) => {
  it('gives each size whole, by the way that it should take', async () => {
    const seen = await start(bytesMax);
    const asked = sizes.map((size, number) => `/${size}/${number}`);
    const expected = answersTo(asked);
    for (let i = 0; i < 3; i += 1) {
      expect((await ask(asked, expected.length, 0)).equals(expected)).toBe(true);
    }
    expect([...seen.copied]).toEqual(copied.map((size) => [size, 3]));
    const lent = sizes.filter((size) => !copied.includes(size));
    expect([...seen.lent]).toEqual(lent.map((size) => [size, 3]));
    await expect.poll(() => seen.released).toBe(3 * sizes.length);
  });

  it('keeps what a late client has not taken', async () => {
    const seen = await start(bytesMax);
    const asked = Array.from({ length: lateCount }, (_each, i) => `/${sizes[i % 5]}/${i}`);
    const expected = answersTo(asked);
    const came = await ask(asked, expected.length, 300);
    expect(came.equals(expected)).toBe(true);
    await expect.poll(() => seen.released).toBe(lateCount);
    expect(fixture.front.stats.bytesInFlight).toBe(0);
  });
});
