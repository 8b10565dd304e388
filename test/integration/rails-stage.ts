/** A proxy and its target on two hosts with two cables between them, and clients that read without end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, vi } from 'vitest';
import { type Role, startRoleBy } from './program.ts';
import type { scratchFolder } from './scratch.ts';
import { targetToml } from './small-roles.ts';
import type { TwoRails } from './two-rails.ts';

export const cookie = 0x11223344;
export const clients = 16;
export const volumeId = 5;

/** Lists the volume, and answers what is forwarded. */
const server = `require('node:http').createServer(({ url }, response) => {
  response.setHeader('Server', 'SeaweedFS Volume 30GB 4.44');
  const row = { Id: ${volumeId}, Size: 8, FileCount: 4, ModifiedAtSecond: 1 };
  response.end(url === '/status' ? JSON.stringify({ Version: '4.44', Volumes: [row] }) : 'forwarded');
}).listen(8080, '127.0.0.1', () => console.log('listening'))`;

export interface StagePlace {
  readonly rails: Pick<TwoRails, 'onProxy' | 'onTarget'>;
  /** Until rails carry traffic; what a busy machine takes, if it is not given. */
  readonly patienceMs?: number;
  readonly scratch: ReturnType<typeof scratchFolder>;
  /** What the needles 1, 2, … of the volume in `scratch` hold. */
  readonly needles: readonly Buffer[];
  /** Lines of [rdma]. */
  readonly target: readonly string[];
  readonly proxy: readonly string[];
}

export class RailStage {
  readonly proxy: Role;
  readonly load: Load;
  readonly #patienceMs: number;
  readonly #end: () => Promise<void>;

  private constructor(
    proxy: Role,
    load: Load,
    { patienceMs = 20_000 }: StagePlace,
    end: () => Promise<void>,
  ) {
    this.proxy = proxy;
    this.#patienceMs = patienceMs;
    this.load = load;
    this.#end = end;
  }

  /** Resolves when so many rails carry traffic, and clients have read for a second. */
  static async start(place: StagePlace, railCount: number): Promise<RailStage> {
    const { rails, scratch, target, needles } = place;
    const [command = '', ...words] = [...rails.onProxy, process.execPath, '-e', server];
    const upstream = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(upstream.stdout, 'data');
    scratch.write('secret', 'a secret of sixteen bytes and more\n');
    const secret = `secret_file = "${scratch.folder}/secret"`;
    const listen = ['listen = "0.0.0.0"', 'port = 18515', secret];
    const targetFile = targetToml(scratch.folder, ...target, ...listen);
    const roles = [
      startRoleBy(rails.onTarget, ['target', '--config', scratch.write('target.toml', targetFile)]),
    ];
    await roles[0]?.ready();
    const proxyFile = scratch.write(
      'proxy.toml',
      proxyToml(scratch.folder, [...place.proxy, secret]),
    );
    const proxy = startRoleBy(rails.onProxy, ['proxy', '--config', proxyFile]);
    roles.push(proxy);
    await proxy.ready();
    await proxy.line('target-up');
    const load = new Load(scratch.folder, needles);
    const stage = new RailStage(proxy, load, place, async () => {
      await load.end();
      for (const role of roles.reverse()) if (!role.hasEnded) await role.stop();
      upstream.kill();
      await once(upstream, 'close');
    });
    await stage.untilUp(railCount);
    await load.during(1_000);
    return stage;
  }

  linesOf(event: string): number {
    return this.proxy.lines.filter((line) => line['event'] === event && line['rail'] !== undefined)
      .length;
  }

  /** So many rails carry traffic. */
  async untilUp(count: number): Promise<void> {
    await vi.waitFor(
      () => expect(this.linesOf('rail-up') - this.linesOf('rail-down')).toBe(count),
      this.#patienceMs,
    );
  }

  end(): Promise<void> {
    return this.#end();
  }
}

function proxyToml(folder: string, rdma: readonly string[]): string {
  return `
[http]
listen = "unix:${folder}/http.sock"
[seaweedfs]
volume_server_url = "http://127.0.0.1:8080"
[rdma]
mode = "require"
${rdma.join('\n')}
[cache]
size = "0B"
[memory]
size = "64MiB"
hugepages = "off"
[admin]
listen = "unix:${folder}/admin.sock"
`;
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export async function get(socketPath: string, path: string, agent?: Agent): Promise<Answer> {
  const asked = request({ socketPath, path, agent });
  asked.end();
  const [response] = await once(asked, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, body: Buffer.concat(chunks) };
}

export interface Tally {
  readonly reads: number;
  readonly failed: readonly string[];
  readonly slowestMs: number;
  /** Reads that took longer than 400 ms: more than `rail_timeout` and what a busy machine takes. */
  readonly late: number;
  /** Reads that took longer than 150 ms, as those do whose rail is ejected for silence. */
  readonly slow: number;
}

/** Reads without end over `clients` connections. */
class Load {
  readonly #socketPath: string;
  readonly #needles: readonly Buffer[];
  #isOver = false;
  #reads = 0;
  #slow = 0;
  #late = 0;
  #failed: string[] = [];
  #slowestMs = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: clients });
  readonly #ended: Promise<unknown>;

  constructor(folder: string, needles: readonly Buffer[]) {
    this.#socketPath = `${folder}/http.sock`;
    this.#needles = needles;
    this.#ended = Promise.all(Array.from({ length: clients }, () => this.#read()));
  }

  /** What happened since the last call. */
  take(): Tally {
    const tally = {
      reads: this.#reads,
      failed: this.#failed,
      slowestMs: this.#slowestMs,
      slow: this.#slow,
      late: this.#late,
    };
    this.#reads = this.#slow = this.#late = this.#slowestMs = 0;
    this.#failed = [];
    return tally;
  }

  async during(ms: number): Promise<Tally> {
    this.take();
    await pause(ms);
    return this.take();
  }

  /** Waits for a second in which so many reads end; returns what happened until then. A busy machine has slow seconds. */
  async untilReads(count: number): Promise<Pick<Tally, 'failed'>> {
    const failed: string[] = [];
    for (let seconds = 0; seconds < 10; seconds += 1) {
      const tally = await this.during(1_000);
      failed.push(...tally.failed);
      if (tally.reads >= count) return { failed };
    }
    throw new Error(`${count} reads did not end in any of 10 seconds`);
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    this.#agent.destroy();
  }

  async #read(): Promise<void> {
    while (!this.#isOver) {
      const index = Math.floor(Math.random() * this.#needles.length);
      const beganMs = performance.now();
      const path = `/${volumeId},0${index + 1}${cookie.toString(16)}`;
      try {
        const { status, body } = await get(this.#socketPath, path, this.#agent);
        if (!body.equals(this.#needles[index] as Buffer))
          this.#failed.push(`${status} ${body.subarray(0, 80)}`);
      } catch (error) {
        this.#failed.push(String(error));
      }
      const tookMs = performance.now() - beganMs;
      this.#reads += 1;
      this.#slowestMs = Math.max(this.#slowestMs, tookMs);
      if (tookMs > 150) this.#slow += 1;
      if (tookMs > 400) this.#late += 1;
    }
  }
}
