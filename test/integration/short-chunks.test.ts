/** Answers in very short chunks are read more slowly, so that other connections have their turns, and are complete. */
import { afterEach, expect, it, vi } from 'vitest';
import { FramingPace } from '../../src/proxy/passthrough/framing-pace.ts';
import { fixture, front, stage, upstream } from './front-stage.ts';
import { ok } from './http-front-fixture.ts';

const chunkCount = 100_000;
const head = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunks = `${'1\r\na\r\n'.repeat(chunkCount)}0\r\n\r\n`;

afterEach(() => {
  vi.restoreAllMocks();
});

it.each([['a plain GET', '', head + chunks]])(
  'the answer to %s waits for other turns, is complete, and its connection stays',
  async (_name, lines, expected) => {
    const allows = vi.spyOn(FramingPace.prototype, 'allows');
    stage.answer = ({ socket, head: asked }) =>
      void socket.write(asked.includes('2,02') ? head + chunks : ok);
    await front();
    const client = fixture.connect();
    client.send(`GET /2,02 HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    const answer = await client.until((text) => text.endsWith('\r\n0\r\n\r\n'));
    expect(answer === expected).toBe(true);
    expect(allows.mock.results.filter(({ value }) => value === false).length).toBeGreaterThan(1);
    client.send(`GET /2,03 HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    await client.until((text) => text.endsWith(ok));
    expect(upstream.accepted()).toBe(1);
  },
);
