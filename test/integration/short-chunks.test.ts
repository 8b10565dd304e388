/** Answers in very short chunks are read more slowly, so that other connections have their turns, and are complete. */
import { afterEach, expect, it, vi } from 'vitest';
import { AnswerPace } from '../../src/connections/answer-pace.ts';
import { Turnstile } from '../../src/connections/turnstile.ts';
import { fixture, front, stage, upstream } from './front-stage.ts';
import { ok } from './http-front-fixture.ts';

const chunkCount = 100_000;
const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunksEnd = '\r\n0\r\n\r\n';
const chunks = `${'1\r\na\r\n'.repeat(chunkCount)}0\r\n\r\n`;

afterEach(() => {
  vi.restoreAllMocks();
});

it('an answer over the relay waits for other turns, is complete, and its connection stays', async () => {
  const allows = vi.spyOn(AnswerPace.prototype, 'allows');
  await answeringInChunks();
  const client = fixture.connect();
  client.send('GET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n');
  const answer = await client.until((text) => text.endsWith(chunksEnd));
  expect(answer === head + chunks).toBe(true);
  expect(allows.mock.results.filter(({ value }) => value === false).length).toBeGreaterThan(1);
  client.send('GET /2,03 HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => text.endsWith(ok));
  expect(upstream.accepted()).toBe(1);
});

it('an answer over http-proxy-3 is handed on in pieces, is complete, and its connection stays', async () => {
  const enters = vi.spyOn(Turnstile.prototype, 'enter');
  await answeringInChunks();
  const client = fixture.connect();
  client.send('GET /2,02 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
  const answer = await client.until((text) => text.endsWith(chunksEnd));
  expect(answer.startsWith(head)).toBe(true);
  expect(answer.slice(head.length) === chunks).toBe(true);
  expect(enters.mock.results.length).toBeGreaterThan(chunks.length / 2_000);
  client.send('GET /2,03 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n');
  await client.until((text) => text.endsWith(ok));
  expect(upstream.accepted()).toBe(1);
});

async function answeringInChunks(): Promise<void> {
  stage.answer = ({ socket, head: asked }) =>
    void socket.write(asked.includes('/2,02') ? head + chunks : ok);
  await front();
}
