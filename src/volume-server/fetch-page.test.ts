/** Pages that come in many pieces. */
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { fetchPage } from './fetch-page.ts';

it.each([0, 1, 4 * 2 ** 20, 9 * 2 ** 20 + 7])('a page of %i bytes comes whole', async (bytes) => {
  const page = Buffer.alloc(bytes, 'abcdefg');
  const server = createServer((_request, response) => response.end(page));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const url = new URL(`http://127.0.0.1:${port}/status`);
    const fetched = await fetchPage(url, new Agent(), 10_000);
    expect(fetched.equals(page)).toBe(true);
  } finally {
    server.close();
  }
});

it.each([
  [1_000, 1, undefined],
  [20_000, 100, undefined],
  [200_000, 1, 'the answer is cut into too many chunks'],
])(
  'a page of %i chunks of %i bytes is read unless it is mostly framing',
  async (count, bytes, failure) => {
    const chunk = `${bytes.toString(16)}\r\n${'a'.repeat(bytes)}\r\n`;
    const server = createServer((_request, { socket }) => {
      socket?.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(count)}0\r\n\r\n`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const fetched = fetchPage(new URL(`http://127.0.0.1:${port}/status`), new Agent(), 10_000);
    if (failure === undefined) expect(await fetched).toHaveLength(count * bytes);
    else await expect(fetched).rejects.toThrow(failure);
    server.close();
    server.closeAllConnections();
  },
);
