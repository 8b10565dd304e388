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
