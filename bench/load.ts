/** Who asks: bare keep-alive sockets, so that little is spent outside of the proxy, and wrk where it is installed. */
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { signReadToken } from '../src/needle/token/sign-read-token.ts';
import type { Needles } from './needles.ts';

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
  /** Duration by the load generator's own clock. */
  readonly seconds: number;
}

/** A load of reads. */
export function loadOf(needles: Needles, dir: string): Load {
  if (!hasWrk()) return new BareLoad(needles);
  return new Wrk(join(dir, `read-${needles.bytes}.lua`), readScript(needles.paths));
}

export const benchReadKey = 'the read key of a bench';
/** Times at which tokens are signed: one after the other, a second each. */
const signingTimes = 30;

/** Each read has a token that was signed in its second, as SeaweedFS's clients do; undefined where wrk is missing. */
export function signedLoadOf({ bytes, paths }: Needles, dir: string): Load | undefined {
  if (!hasWrk()) return undefined;
  const expires = Math.floor(Date.now() / 1000) + 24 * 3600;
  const tokens = Array.from({ length: signingTimes }, (_, second) =>
    luaList(paths.map((path) => signReadToken(benchReadKey, path.slice(1), expires + second))),
  );
  return new Wrk(join(dir, `signed-${bytes}.lua`), signedScript(paths, tokens));
}

/** All requests write, or every tenth does; undefined where wrk is missing: only it can. */
export function writeLoadOf(
  kind: 'write' | 'mixed',
  { read, written }: { readonly read: Needles; readonly written: Needles },
  dir: string,
): Load | undefined {
  if (!hasWrk()) return undefined;
  const script = writeScript(kind === 'mixed' ? read.paths : [], written);
  return new Wrk(join(dir, `${kind}-${read.bytes}.lua`), script);
}

/** Requests that `mixed` sends for each one that writes, that one included. */
export const mixedPeriod = 10;

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

  constructor(file: string, script: string) {
    this.#script = file;
    writeFileSync(file, script);
  }

  async run(port: number, connections: number, seconds: number): Promise<LoadRun> {
    // It takes whole seconds.
    const duration = `${Math.max(1, Math.round(seconds))}s`;
    const args = ['-t1', `-c${connections}`, `-d${duration}`, '--timeout', '30s'];
    const { stdout } = await promisify(execFile)('wrk', [
      ...args,
      ...['-s', this.#script, `http://127.0.0.1:${port}`],
    ]);
    const [, count, took] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? [];
    const requests = Number(count);
    const requestsPerSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
    const isBad = /Socket errors|Non-2xx/.test(stdout);
    if (isBad || !(requests > 0 && requestsPerSecond > 0)) throw new Error(`wrk said:\n${stdout}`);
    return { requests, requestsPerSecond, seconds: Number(took) };
  }
}

function readScript(paths: readonly string[]): string {
  return `local paths = ${luaList(paths)}
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

function signedScript(paths: readonly string[], tokens: readonly string[]): string {
  return `local paths, tokens = ${luaList(paths)}, { ${tokens.join(',\n')} }
local requests, at = {}, 0
function init()
  for second, row in ipairs(tokens) do
    requests[second] = {}
    for i, path in ipairs(paths) do
      requests[second][i] = wrk.format('GET', path, { Authorization = 'BEARER ' .. row[i] })
    end
  end
end
function request()
  at = at % ${paths.length} + 1
  return requests[os.time() % #tokens + 1][at]
end
`;
}

/** Each needle is written with one body, then with another: a volume server does not store again what it has. */
function writeScript(read: readonly string[], written: Needles): string {
  return `local paths, targets = ${luaList(read)}, ${luaList(written.paths)}
local reads, writes, at, writeAt, count = {}, {}, 0, 0, 0
function init()
  for i, path in ipairs(paths) do reads[i] = wrk.format('GET', path) end
  local type = { ['Content-Type'] = 'application/octet-stream' }
  for _, letter in ipairs({ 'a', 'b' }) do
    local body = string.rep(letter, ${written.bytes})
    for _, path in ipairs(targets) do
      writes[#writes + 1] = wrk.format('PUT', path, type, body)
    end
  end
end
function request()
  count = count + 1
  if #reads == 0 or count % ${mixedPeriod} == 0 then
    writeAt = writeAt % #writes + 1
    return writes[writeAt]
  end
  at = at % #reads + 1
  return reads[at]
end
`;
}

function luaList(paths: readonly string[]): string {
  return `{ ${paths.map((path) => `'${path}'`).join(', ')} }`;
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
    return { requests: asked, requestsPerSecond: asked / took, seconds: took };
  }
}
