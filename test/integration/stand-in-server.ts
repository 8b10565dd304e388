/**
 * A volume server's stand-in that remembers what it was asked: needles in memory, the pages that tell which volumes it
 * has, and each of the ways in which a real one treats a volume that it has not.
 */
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

export type ReadMode = 'local' | 'proxy' | 'redirect';

export class StandInServer {
  /** "GET /3,0100000007" of every request, the pages about the server itself left out. */
  readonly asked: string[] = [];
  /** How often each of these pages was asked for. */
  readonly pages: Record<string, number> = {};
  readonly volumes: Map<number, Map<string, Buffer>> = new Map();
  /** Erasure coded ones: in no list but that of the UI. */
  readonly shards: Map<number, Map<string, Buffer>> = new Map();
  readMode: ReadMode = 'local';
  /** Where a read of another server's volume is sent, in the modes that send it. */
  peer: StandInServer | undefined;
  /** How long it takes to say what it has. */
  statusMs = 0;
  port = 0;
  #server: Server | undefined;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** At the same port as before, where it ran before. */
  async start(): Promise<this> {
    const server = createServer((asked, answer) => void this.#answer(asked, answer));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  }

  /** Each needle's path is "/volume,fid". */
  has(volumeId: number, needles: Readonly<Record<string, string | Buffer>> = {}): void {
    const stored = Object.entries(needles).map(
      ([path, data]) => [path, Buffer.from(data)] as const,
    );
    this.volumes.set(volumeId, new Map(stored));
  }

  /** What it was asked of a volume. */
  askedOf(volumeId: number): readonly string[] {
    return this.asked.filter((each) => each.includes(` /${volumeId},`));
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const path = asked.url ?? '';
    const body: Buffer[] = [];
    for await (const chunk of asked as AsyncIterable<Buffer>) body.push(chunk);
    answer.setHeader('Server', 'SeaweedFS Volume stand-in');
    if (path === '/status' || path === '/ui/index.html') {
      this.pages[path] = (this.pages[path] ?? 0) + 1;
      await pause(this.statusMs);
      answer.end(path === '/status' ? this.#status() : this.#page());
      return;
    }
    if (path === '/0,000000000000') {
      answer.writeHead(404).end();
      return;
    }
    this.asked.push(`${asked.method} ${path}`);
    const volumeId = Number(/^\/(\d+),/.exec(path)?.[1]);
    const volume = this.volumes.get(volumeId) ?? this.shards.get(volumeId);
    if (volume !== undefined) this.#answerOf(volume, asked, answer, Buffer.concat(body));
    else if (asked.method === 'GET') this.#answerElsewhere(path, answer);
    else answer.writeHead(404).end('{"error":"volume not found"}');
  }

  #answerOf(
    volume: Map<string, Buffer>,
    { method, url = '' }: IncomingMessage,
    answer: ServerResponse,
    body: Buffer,
  ): void {
    if (method === 'POST') volume.set(url, body);
    const data = volume.get(url);
    if (method === 'DELETE') volume.delete(url);
    if (data === undefined) answer.writeHead(404).end();
    else if (method === 'POST') answer.writeHead(201).end('{}');
    else if (method === 'DELETE') answer.writeHead(202).end('{}');
    else answer.end(data);
  }

  #answerElsewhere(path: string, answer: ServerResponse): void {
    const { peer } = this;
    if (this.readMode === 'local' || peer === undefined) {
      answer.writeHead(404).end();
    } else if (this.readMode === 'redirect') {
      answer.writeHead(301, { location: `${peer.url}${path}?proxied=true` }).end();
    } else {
      request(`${peer.url}${path}?proxied=true`, (theirs) => {
        answer.writeHead(theirs.statusCode ?? 0);
        theirs.pipe(answer);
      })
        .on('error', () => answer.writeHead(500).end())
        .end();
    }
  }

  #status(): string {
    const rows = [...this.volumes].map(([volumeId, needles]) => ({
      Id: volumeId,
      Size: 8 + needles.size,
      FileCount: needles.size,
      ModifiedAtSecond: 1_700_000_000,
    }));
    return JSON.stringify({ Version: 'stand-in', Volumes: rows.length === 0 ? null : rows });
  }

  #page(): string {
    const rows = [...this.shards.keys()].map((id) => `<tr><td><code>${id}</code></td></tr>`);
    return `<h2>Volumes</h2><table></table><h2>Erasure Coding Shards</h2><table>${rows.join('')}</table>`;
  }
}
