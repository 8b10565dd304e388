/**
 * Other programs' HTTP in front of the real proxy: nginx with the configurations that docs/in-front.md gives, curl in
 * HTTP/1.0, and the bytes of a Java client. None of them makes a connection raw, and their reads are answered here.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { freePorts } from '../free-ports.ts';
import { RawClient } from './http-front-fixture.ts';
import { startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const bytes = Buffer.from('a needle that everybody asks for\n', 'latin1');
const path = `/${formatFid(3, 1n, 7)}`;
const missing = `/${formatFid(3, 99n, 7)}`;

const hasNginx = isInstalled('nginx');
const hasCurl = isInstalled('curl');
/** Whether this curl can offer HTTP/2. */
const offersHttp2 =
  hasCurl && execFileSync('curl', ['-V'], { encoding: 'latin1' }).includes('HTTP2');

function isInstalled(command: string): boolean {
  try {
    execFileSync(command, ['-V'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

interface Stage {
  readonly port: number;
  readonly admin: string;
}

let stage: Stage;

beforeAll(async () => {
  const dir = join(scratch.folder, 'data');
  mkdirSync(dir);
  using volume = createVolume({ dir, volumeId: 3 });
  volume.append({ needleId: 1n, cookie: 7, data: bytes, mime: 'a/b' });
  const origin = await startRole(['origin', '--dir', dir, '--listen', '127.0.0.1:0']).line('ready');
  const config = scratch.write(
    'proxy.toml',
    `
[http]
listen = "127.0.0.1:0"
debug_headers = true
[seaweedfs]
volume_server_url = "http://${origin['http']}"
[rdma]
transport = "inproc"
dirs = ["${dir}"]
[memory]
size = "32MiB"
hugepages = "off"
[cache]
size = "8MiB"
[admin]
listen = "127.0.0.1:0"
`,
  );
  const ready = await startRole(['proxy', '--config', config]).line('ready');
  stage = {
    port: Number(String(ready['http']).split(':').at(-1)),
    admin: String(ready['admin']),
  };
  await whenServed(`http://127.0.0.1:${stage.port}${path}`);
}, 60_000);

async function whenServed(url: string): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    if (answer.headers.get('x-rdma-source') === 'cache') return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} was never answered from the cache`);
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://${stage.admin}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
}

const rawPipes = (): Promise<number> => metric('seaweed_rdma_raw_pipes_total');
const connections = (): Promise<number> =>
  metric('seaweed_rdma_client_connections_total\\{event="accepted"\\}');

/** nginx blocks of the page, in their order. */
function configurations(): readonly string[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/in-front.md'), 'utf8');
  return [...page.matchAll(/^```nginx\n(.*?)^```$/gms)].map(([, block]) => block as string);
}

class Nginx {
  readonly #child: ChildProcess;
  readonly url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** With a block of the page whose two addresses are this test's. */
  static async start(block: string): Promise<Nginx> {
    const [port = 0] = await freePorts(1);
    const dir = join(scratch.folder, `nginx-${port}`);
    mkdirSync(dir);
    const here = block
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${stage.port}`)
      .replaceAll('127.0.0.1:80;', `127.0.0.1:${port};`);
    // As root its worker would become somebody who may not write here.
    const user = userInfo().uid === 0 ? `user ${userInfo().username};` : '';
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const file = scratch.write(
      `nginx-${port}.conf`,
      `${user}
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')}
  ${here}
}
`,
    );
    const child = spawn('nginx', ['-p', dir, '-e', join(dir, 'error.log'), '-c', file], {
      stdio: 'ignore',
    });
    const nginx = new Nginx(child, `http://127.0.0.1:${port}`);
    for (let i = 0; i < 200; i += 1) {
      const answer = await fetch(`${nginx.url}${path}`).catch(() => undefined);
      if (answer !== undefined) {
        await answer.arrayBuffer();
        return nginx;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await nginx.stop();
    throw new Error(`nginx did not answer: ${readFileSync(join(dir, 'error.log'), 'utf8')}`);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}

const readCount = 20;

describe.skipIf(!hasNginx)('behind nginx, which is not installed where this is skipped', () => {
  const started: Nginx[] = [];
  afterAll(async () => {
    for (const nginx of started) await nginx.stop();
  });

  test('the page has both configurations', () => {
    expect(configurations()).toHaveLength(2);
    expect(configurations()[1]).not.toContain('proxy_http_version');
  });

  test.each([
    ['kept connections', 0, 3],
    ['a connection of HTTP/1.0 for each request', 1, Number.POSITIVE_INFINITY],
  ])('with %s reads are answered here', async (_name, index, connectionsMax) => {
    const nginx = await Nginx.start(configurations()[index] as string);
    started.push(nginx);
    const rawBefore = await rawPipes();
    const connectionsBefore = await connections();
    for (let i = 0; i < readCount; i += 1) {
      const answer = await fetch(`${nginx.url}${path}`);
      expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
      expect(answer.headers.get('x-rdma-source')).toBe('cache');
    }
    const opened = (await connections()) - connectionsBefore;
    expect(opened).toBeLessThanOrEqual(connectionsMax);
    if (connectionsMax > readCount) expect(opened).toBeGreaterThanOrEqual(readCount);

    const head = await fetch(`${nginx.url}${path}`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(bytes.length));
    const part = await fetch(`${nginx.url}${path}`, { headers: { Range: 'bytes=2-7' } });
    expect([part.status, await part.text()]).toEqual([206, 'needle']);
    const etag = head.headers.get('etag') as string;
    const same = await fetch(`${nginx.url}${path}`, { headers: { 'If-None-Match': etag } });
    expect([same.status, same.headers.get('x-rdma-source')]).toEqual([304, 'cache']);
    const none = await fetch(`${nginx.url}${missing}`);
    await none.arrayBuffer();
    expect([none.status, none.headers.get('x-rdma-source')]).toEqual([
      404,
      'passthrough;reason=not-found',
    ]);
    const write = await fetch(`${nginx.url}${path}`, { method: 'PUT', body: 'x'.repeat(100_000) });
    await write.arrayBuffer();
    // The origin of these tests takes no writes.
    expect([write.status, write.headers.get('x-rdma-source')]).toEqual([
      400,
      'passthrough;reason=method',
    ]);
    expect(await rawPipes()).toBe(rawBefore);
  });
});

const curlOptions: readonly (readonly [name: string, options: readonly string[]])[] = [
  ['HTTP/1.0', ['--http1.0']],
  ['HTTP/1.0 that stays', ['--http1.0', '-H', 'Connection: keep-alive']],
  ['an expectation', ['-H', 'Expect: 100-continue']],
  ['Proxy-Connection', ['-H', 'Proxy-Connection: keep-alive']],
  ...(offersHttp2 ? [['an offer of HTTP/2', ['--http2']] as const] : []),
];

describe.skipIf(!hasCurl)('curl, which is not installed where this is skipped', () => {
  test.each(curlOptions)(
    'with %s is answered here, twice on what connections it has',
    async (_name, options) => {
      const rawBefore = await rawPipes();
      const url = `http://127.0.0.1:${stage.port}${path}`;
      const text = execFileSync('curl', ['-sS', '-i', ...options, url, url], {
        encoding: 'latin1',
      });
      expect(text.match(/^X-Rdma-Source: (?:cache|rdma)\r$/gm)).toHaveLength(2);
      expect(text.split(bytes.toString('latin1'))).toHaveLength(3);
      const version = options.includes('--http1.0') ? 'HTTP/1.0' : 'HTTP/1.1';
      expect(text.match(/^HTTP\/1\.\d 200 OK\r$/gm)).toEqual(Array(2).fill(`${version} 200 OK\r`));
      expect(await rawPipes()).toBe(rawBefore);
    },
  );
});

test('a Java client that offers HTTP/2 keeps its connection, and is answered here', async () => {
  const rawBefore = await rawPipes();
  const client = new RawClient(stage.port);
  const offer =
    `GET ${path} HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: 127.0.0.1:${stage.port}\r\n` +
    'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n' +
    'User-Agent: Java-http-client/21.0.2\r\n\r\n';
  for (let count = 1; count <= 3; count += 1) {
    client.send(offer);
    await client.until((received) => received.split(bytes.toString('latin1')).length > count);
  }
  expect(client.received.match(/^X-Rdma-Source: cache\r$/gm)).toHaveLength(3);
  expect(client.received).not.toMatch(/^(?:HTTP\/1\.1 101|Upgrade:)/im);
  expect(client.closed).toBe(false);
  client.socket.destroy();
  expect(await rawPipes()).toBe(rawBefore);
});
