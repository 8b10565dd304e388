/** Who asks: bare keep-alive sockets, so that little is spent outside of the proxy, and wrk where it is installed. */
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Needles } from './cache-needles.ts';

const receiveBytes = 1024 * 1024;
const statusLine = 'HTTP/1.1 200 OK\r\n';
const headEnd = '\r\n\r\n';

/** One connection, one request at a time; anything but a whole 200 is an error. */
export class BareClient {
  readonly #socket: Socket;
  #bodyBytes = 0;
  /** -1: the head is still to come. */
  #leftBytes = -1;
  #answered: PromiseWithResolvers<void> | undefined;

  constructor(port: number) {
    const buffer = Buffer.alloc(receiveBytes);
    const onread = { buffer, callback: (count: number) => this.#take(buffer, count) };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread });
    this.#socket.on('error', (error) => this.#answered?.reject(error));
    this.#socket.on('close', () => this.#answered?.reject(new Error('the proxy hung up')));
  }

  async connected(): Promise<void> {
    await once(this.#socket, 'connect');
  }

  get(request: Buffer, bodyBytes: number): Promise<void> {
    this.#bodyBytes = bodyBytes;
    this.#leftBytes = -1;
    this.#answered = Promise.withResolvers();
    this.#socket.write(request);
    return this.#answered.promise;
  }

  close(): void {
    this.#answered = undefined;
    this.#socket.destroy();
  }

  #take(buffer: Buffer, count: number): boolean {
    if (this.#leftBytes < 0) {
      const end = buffer.subarray(0, count).indexOf(headEnd);
      if (end < 0 || buffer.toString('latin1', 0, statusLine.length) !== statusLine) {
        this.#socket.destroy(
          new Error(`answered: ${buffer.toString('latin1', 0, Math.min(count, 200))}`),
        );
        return false;
      }
      this.#leftBytes = end + headEnd.length + this.#bodyBytes;
    }
    this.#leftBytes -= count;
    if (this.#leftBytes < 0) this.#socket.destroy(new Error('a longer answer than the needle is'));
    else if (this.#leftBytes === 0) this.#answered?.resolve();
    return true;
  }
}

export function requestsFor({ paths }: Needles): readonly Buffer[] {
  return paths.map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`));
}

/** How long each answer took, in µs; at least one per needle. */
export async function askInTurn(
  port: number,
  needles: Needles,
  durationMs: number,
): Promise<number[]> {
  const requests = requestsFor(needles);
  const client = new BareClient(port);
  await client.connected();
  const latenciesUs: number[] = [];
  const until = performance.now() + durationMs;
  for (let now = performance.now(); now < until || latenciesUs.length < requests.length; ) {
    await client.get(requests[latenciesUs.length % requests.length] as Buffer, needles.bytes);
    const end = performance.now();
    latenciesUs.push((end - now) * 1e3);
    now = end;
  }
  client.close();
  return latenciesUs;
}

export interface Load {
  readonly name: string;
  /** All connections ask at once, over all needles in turn. */
  run(port: number, connections: number, seconds: number): Promise<LoadRun>;
}

export interface LoadRun {
  readonly requests: number;
  readonly requestsPerSecond: number;
}

export function loadOf(needles: Needles, dir: string): Load {
  return hasWrk() ? new Wrk(needles, dir) : new BareLoad(needles);
}

function hasWrk(): boolean {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' });
    return true;
  } catch (error) {
    // It prints its version and says that this was wrong.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

class Wrk implements Load {
  readonly name = 'wrk';
  readonly #script: string;

  constructor({ bytes, paths }: Needles, dir: string) {
    this.#script = join(dir, `in-turn-${bytes}.lua`);
    writeFileSync(this.#script, luaFor(paths));
  }

  async run(port: number, connections: number, seconds: number): Promise<LoadRun> {
    // It takes whole seconds.
    const duration = `${Math.max(1, Math.round(seconds))}s`;
    const args = ['-t1', `-c${connections}`, `-d${duration}`, '-s', this.#script];
    const { stdout } = await promisify(execFile)('wrk', [...args, `http://127.0.0.1:${port}`]);
    const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
    const requestsPerSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
    const isBad = /Socket errors|Non-2xx/.test(stdout);
    if (isBad || !(requests > 0 && requestsPerSecond > 0)) throw new Error(`wrk said:\n${stdout}`);
    return { requests, requestsPerSecond };
  }
}

function luaFor(paths: readonly string[]): string {
  return `local paths = { ${paths.map((path) => `'${path}'`).join(', ')} }
local requests, at = {}, 0
function init()
  for i, path in ipairs(paths) do requests[i] = wrk.format('GET', path) end
end
function request()
  at = at % ${paths.length} + 1
  return requests[at]
end
`;
}

class BareLoad implements Load {
  readonly name = 'sockets of this process';
  readonly #needles: Needles;

  constructor(needles: Needles) {
    this.#needles = needles;
  }

  async run(port: number, connections: number, seconds: number): Promise<LoadRun> {
    const requests = requestsFor(this.#needles);
    const clients = Array.from({ length: connections }, () => new BareClient(port));
    await Promise.all(clients.map((client) => client.connected()));
    const startedAt = performance.now();
    let asked = 0;
    const ask = async (client: BareClient): Promise<void> => {
      while (performance.now() - startedAt < seconds * 1e3) {
        asked += 1;
        await client.get(requests[asked % requests.length] as Buffer, this.#needles.bytes);
      }
    };
    await Promise.all(clients.map(ask));
    const took = (performance.now() - startedAt) / 1e3;
    for (const client of clients) client.close();
    return { requests: asked, requestsPerSecond: asked / took };
  }
}
