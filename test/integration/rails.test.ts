/**
 * A proxy with two rails to its target, over cables that are pulled, lossy or slow while clients read. Reads that the fabric
 * does not serve are errors here (mode = "require").
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { type Role, startRoleBy } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { targetToml } from './small-roles.ts';
import { makeTwoRails, type TwoRails } from './two-rails.ts';

const made = loadBinding().hasUcx ? makeTwoRails() : 'without the native part';
const scratch = scratchFolder();
const cookie = 0x11223344;
const needles = [1_000, 4_096, 20_000, 65_536, 262_144].map((size) => randomBytes(size));
const clients = 16;
/** Beyond the slowest read of a second without a fault: `rail_timeout`, and what a busy machine takes. */
const slowestMs = 400;

const server = `require('node:http').createServer(({ url }, response) => {
  response.setHeader('Server', 'SeaweedFS Volume 30GB 4.44');
  const row = { Id: 5, Size: 8, FileCount: 4, ModifiedAtSecond: 1 };
  response.end(url === '/status' ? JSON.stringify({ Version: '4.44', Volumes: [row] }) : 'forwarded');
}).listen(8080, '127.0.0.1', () => console.log('listening'))`;

/** Lines of [rdma] for each transport: of both roles, and of the target alone. */
const stages = {
  'our TCP': { both: ['transport = "tcp"'], target: [] },
  UCX: {
    both: ['transport = "ucx"', 'tls = "tcp"', 'ucx_tcp_trusted_network = true'],
    target: ['device_name = ["cable1", "cable2"]'],
  },
} as const;
type StageName = keyof typeof stages;

function proxyToml({ cables }: TwoRails, lines: readonly string[]): string {
  const targets = cables.map(({ targetAddress }) => `"${targetAddress}:18515"`);
  const devices = cables.map(({ device }) => `"${device}"`);
  return `
[http]
listen = "unix:${scratch.folder}/http.sock"
[seaweedfs]
volume_server_url = "http://127.0.0.1:8080"
[rdma]
mode = "require"
${lines.join('\n')}
target = [${targets.join(', ')}]
device_name = [${devices.join(', ')}]
secret_file = "${scratch.folder}/secret"
[cache]
size = "0B"
[memory]
size = "64MiB"
hugepages = "off"
[admin]
listen = "unix:${scratch.folder}/admin.sock"
`;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

async function get(socket: 'http' | 'admin', path: string, agent?: Agent): Promise<Answer> {
  const asked = request({ socketPath: `${scratch.folder}/${socket}.sock`, path, agent });
  asked.end();
  const [response] = await once(asked, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, body: Buffer.concat(chunks) };
}

interface Tally {
  readonly reads: number;
  readonly failed: readonly string[];
  readonly slowestMs: number;
  /** Reads that took longer than 150 ms, as those do whose rail is ejected for silence. */
  readonly slow: number;
}

/** Reads without end over `clients` connections. */
class Load {
  #isOver = false;
  #reads = 0;
  #slow = 0;
  #failed: string[] = [];
  #slowestMs = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: clients });
  readonly #ended = Promise.all(Array.from({ length: clients }, () => this.#read()));

  /** What happened since the last call. */
  take(): Tally {
    const tally = {
      reads: this.#reads,
      failed: this.#failed,
      slowestMs: this.#slowestMs,
      slow: this.#slow,
    };
    this.#reads = this.#slow = this.#slowestMs = 0;
    this.#failed = [];
    return tally;
  }

  async during(ms: number): Promise<Tally> {
    this.take();
    await pause(ms);
    return this.take();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    this.#agent.destroy();
  }

  async #read(): Promise<void> {
    while (!this.#isOver) {
      const index = Math.floor(Math.random() * needles.length);
      const beganMs = performance.now();
      const path = `/5,0${index + 1}${cookie.toString(16)}`;
      try {
        const { status, body } = await get('http', path, this.#agent);
        if (!body.equals(needles[index] as Buffer))
          this.#failed.push(`${status} ${body.subarray(0, 80)}`);
      } catch (error) {
        this.#failed.push(String(error));
      }
      const tookMs = performance.now() - beganMs;
      this.#reads += 1;
      this.#slowestMs = Math.max(this.#slowestMs, tookMs);
      if (tookMs > 150) this.#slow += 1;
    }
  }
}

const isPossible = typeof made !== 'string';
const names = Object.keys(stages) as StageName[];

beforeAll(() => {
  using volume = createVolume({ dir: scratch.folder, volumeId: 5 });
  for (const [index, data] of needles.entries()) {
    volume.append({ needleId: BigInt(index + 1), cookie, data });
  }
  scratch.write('secret', 'a secret of sixteen bytes and more\n');
});

afterAll(() => {
  if (typeof made !== 'string') made.remove();
});

describe.skipIf(!isPossible).each(names)(
  'two rails over %s (need network namespaces, nft and tc)',
  (name) => {
    const stage = stages[name];
    const rails = made as TwoRails;
    const [first] = typeof made === 'string' ? [] : made.cables;
    const cable = first as TwoRails['cables'][0];
    const roles: Role[] = [];
    let upstream: ReturnType<typeof spawn> | undefined;
    let proxy: Role;
    let load: Load;

    beforeAll(async () => {
      const [command = '', ...words] = [...rails.onProxy, process.execPath, '-e', server];
      upstream = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(upstream.stdout as NodeJS.ReadableStream, 'data');
      const place = [...stage.both, ...stage.target, 'listen = "0.0.0.0"', 'port = 18515'];
      const secret = `secret_file = "${scratch.folder}/secret"`;
      const target = scratch.write('target.toml', targetToml(scratch.folder, ...place, secret));
      roles.push(startRoleBy(rails.onTarget, ['target', '--config', target]));
      await roles[0]?.ready();
      const file = scratch.write('proxy.toml', proxyToml(rails, stage.both));
      proxy = startRoleBy(rails.onProxy, ['proxy', '--config', file]);
      roles.push(proxy);
      await proxy.ready();
      await proxy.line('target-up');
      await vi.waitFor(() => expect(linesOf('rail-up')).toBe(2), 5_000);
      load = new Load();
      await load.during(1_000);
    });

    afterAll(async () => {
      await load?.end();
      for (const role of roles.reverse()) if (!role.hasEnded) await role.stop();
      upstream?.kill();
      if (upstream !== undefined) await once(upstream, 'close');
    });

    const linesOf = (event: string): number =>
      proxy.lines.filter((line) => line['event'] === event && line['rail'] !== undefined).length;

    /** Both rails carry traffic again. */
    async function bothAreUp(): Promise<void> {
      await vi.waitFor(() => expect(linesOf('rail-up') - linesOf('rail-down')).toBe(2), 20_000);
    }

    const faults = [
      ['that is pulled', () => rails.setLink(cable, 'down'), () => rails.setLink(cable, 'up')],
      [
        'that loses a third of its packets',
        () => rails.loseOn(cable, 33),
        () => rails.loseOn(cable, 0),
      ],
      ['that is slow', () => rails.slow(cable, 1_000), () => rails.slow(cable, undefined)],
    ] as const;

    test('a cable that is pulled delays each client once at most', async () => {
      await bothAreUp();
      rails.setLink(cable, 'down');
      const { failed, slow } = await load.during(3_000);
      rails.setLink(cable, 'up');
      expect(failed).toEqual([]);
      expect(slow).toBeLessThanOrEqual(clients);
    });

    test.each(faults)(
      'a cable %s costs no read, a few of them 250 ms, and no throughput',
      async (_, breakIt, mend) => {
        await bothAreUp();
        const before = await load.during(1_000);
        expect(before.failed).toEqual([]);
        const ejections = linesOf('rail-down');
        breakIt();
        const at = await load.during(2_500);
        const later = await load.during(1_000);
        mend();
        const mended = await load.during(1_000);
        await bothAreUp();
        const after = await load.during(1_000);
        if (process.env['RAILS_FIGURES'])
          console.log(JSON.stringify({ before, at, later, mended, after }));
        for (const { failed } of [at, later, mended, after]) expect(failed).toEqual([]);
        expect(linesOf('rail-down')).toBeGreaterThan(ejections);
        for (const tally of [at, later, mended])
          expect(tally.slowestMs).toBeLessThan(slowestMs + before.slowestMs);
        expect(later.reads).toBeGreaterThan(before.reads / 2);
        expect(after.reads).toBeGreaterThan(before.reads / 2);
      },
    );
  },
);
