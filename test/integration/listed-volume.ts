/** Plays a volume server that lists volume 5 and answers "forwarded" to all else, so that a test sees what was forwarded. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll } from 'vitest';

/** Returns its URL; it ends with the file's tests. */
export async function serveListedVolume(): Promise<string> {
  const server: Server = createServer(({ url }, response) => {
    const row = { Id: 5, Size: 8, FileCount: 4, ModifiedAtSecond: 1 };
    response.setHeader('Server', 'SeaweedFS Volume 30GB 4.44');
    const list = JSON.stringify({ Version: '4.44', Volumes: [row] });
    response.end(url === '/status' ? list : 'forwarded');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const ends: (() => void)[] = [];

// Not where it is started: a hook that is made in another hook is none of the file's.
afterAll(() => {
  for (const end of ends.splice(0)) end();
});
