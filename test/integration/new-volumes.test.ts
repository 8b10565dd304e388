/** Volumes that come into being while everything runs: served as soon as a write or a read shows that they are there. */

import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createRdmaClient } from '../../src/rdma/rdma-client.ts';
import { type RunningTarget, startTarget } from '../../src/target-role/start-target.ts';
import { asksPerSecondMax } from '../../src/volume-server/confirmation.ts';
import { SampleVolume } from '../contract/sample-volume.ts';
import { when } from '../contract/subjects.ts';
import { type Stack, startStack } from '../history/roles.ts';
import { adminPlace } from './admin-place.ts';

/** As the real one, it lists a volume as soon as it has made its files. */
class VolumeServer {
  readonly volumes = new Map<number, SampleVolume>();
  readonly server: Server;
  readonly dir: string;
  polls = 0;

  constructor(dir: string) {
    this.dir = dir;
    this.server = createServer((asked, answer) => {
      asked.resume();
      answer.setHeader('Server', 'SeaweedFS Volume 30GB 4.44');
      asked.on('end', () => this.#answer(asked, answer));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  create(volumeId: number): void {
    const volume = new SampleVolume(this.dir, volumeId);
    volume.put(1n, Buffer.from(`of ${volumeId}`));
    this.volumes.set(volumeId, volume);
  }

  #answer({ method, url }: IncomingMessage, answer: ServerResponse): void {
    if (url === '/status') {
      this.polls += 1;
      answer.end(this.#status());
      return;
    }
    const volumeId = Number(/^\/(\d+),/.exec(url ?? '')?.[1]);
    // The master grows a volume before it assigns a place in it; here the first write does.
    if (method === 'POST' && !this.volumes.has(volumeId)) this.create(volumeId);
    if (!this.volumes.has(volumeId)) answer.writeHead(404).end();
    else if (method === 'POST') answer.writeHead(201).end('{}');
    else answer.end(`of ${volumeId}`);
  }

  #status(): string {
    const rows = [...this.volumes].map(([Id, volume]) => ({
      Id,
      Size: volume.dataBytes,
      FileCount: 1,
      ModifiedAtSecond: 1,
      RemoteStorageName: '',
    }));
    return JSON.stringify({ DiskStatuses: [{ dir: this.dir }], Volumes: rows });
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    for (const volume of this.volumes.values()) volume.close();
  }
}

const idle = 600_000;
const hasUcx = loadBinding().hasUcx;

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-new-'));
  for (const name of ['data', 'other']) mkdirSync(join(folder, name));
  return folder;
}

async function startServer(folder: string): Promise<VolumeServer> {
  const server = new VolumeServer(join(folder, 'data'));
  await new Promise<void>((resolve) => server.server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe.skipIf(!hasUcx)('a target that polls rarely', () => {
  let folder: string;
  let server: VolumeServer;
  let target: RunningTarget | undefined;
  const lines: Record<string, unknown>[] = [];

  beforeEach(async () => {
    folder = makeFolder();
    server = await startServer(folder);
    lines.length = 0;
  });

  afterEach(async () => {
    await target?.close(0);
    target = undefined;
    await server.close();
    rmSync(folder, { recursive: true });
  });

  async function start(dir: string, confirmEveryMs: number): Promise<RunningTarget> {
    const log = (fields: object): void => void lines.push({ ...fields });
    target = await startTarget(
      {
        version: '0',
        listen: { host: '127.0.0.1', port: 0 },
        deviceName: 'lo',
        isNetworkTrusted: false,
        transport: 'ucx',
        isTlsOff: false,
        tls: 'tcp,self',
        maxSessions: 10,
        maxRequests: 4096,
        maxRequestsPerSession: 1024,
        bufferWaitMs: 250,
        ioThreads: 2,
        sessionTimeoutMs: idle,
        descriptorLimit: 1_024,
        handshakeTimeoutMs: 5_000,
        pendingPerAddressMax: 64,
        bufferBytes: 64 * 2 ** 20,
        hugepages: 'off',
        secret: '',
        dirs: [join(folder, dir)],
        idxDirs: [],
        volumeServerUrl: server.url,
        confirmEveryMs,
        admin: adminPlace,
      },
      { info: log, warn: log },
    );
    return target;
  }

  async function withClient(
    address: string,
    use: (fetcher: ReturnType<ReturnType<typeof createRdmaClient>['addTarget']>) => Promise<void>,
  ): Promise<void> {
    const client = createRdmaClient({
      kind: 'ucx',
      arenaBytes: 64 * 2 ** 20,
      hugepages: 'off',
      deviceName: 'lo',
      tls: 'tcp,self',
    });
    const port = Number(address.split(':').at(-1));
    const fetcher = client.addTarget({
      host: '127.0.0.1',
      port,
      secret: '',
      connectTimeoutMs: 10_000,
    });
    try {
      await when(fetcher, () => fetcher.state.kind === 'up');
      await use(fetcher);
    } finally {
      await client.close();
    }
  }

  const hint = (volumeId: number) => [{ volumeId, epoch: 0n, position: 0n }];

  test('announces a new volume when somebody validates it', async () => {
    const { address } = await start('data', idle);
    await until(() => server.polls === 1);
    server.create(7);
    await withClient(address, async (fetcher) => {
      const answered = await fetcher.validate(hint(7), 5_000);
      expect(answered).toMatchObject({ kind: 'verdicts', verdicts: [{ leased: false }] });
      await when(fetcher, () => fetcher.volumes.get(7)?.confirmed === true);
    });
    expect(server.polls).toBe(2);
  });

  test('is not made busy by questions for volumes that nobody has', async () => {
    const { address } = await start('data', idle);
    await withClient(address, async (fetcher) => {
      const before = server.polls;
      const begunAt = performance.now();
      let asked = 0;
      while (performance.now() - begunAt < 1_500) {
        const batch = Array.from({ length: 50 }, () =>
          fetcher.validate(hint(1000 + asked++), 5_000),
        );
        await Promise.all(batch);
      }
      const seconds = (performance.now() - begunAt) / 1_000;
      expect(asked).toBeGreaterThan(500);
      const polls = server.polls - before;
      expect(polls).toBeGreaterThan(2);
      expect(polls).toBeLessThanOrEqual(Math.ceil(asksPerSecondMax * seconds) + 2);
    });
  });

  test('tells which volumes are missing when its directories are others than its server’s', async () => {
    for (let volumeId = 1; volumeId <= 7; volumeId += 1) server.create(volumeId);
    const running = await start('other', 100);
    await until(() => running.status().coverage !== undefined);
    const health = async (): Promise<Health> =>
      (await (await fetch(`http://${running.adminAddress}/health`)).json()) as Health;
    const early = (await health()).checks['volumes'];
    expect(early).toMatchObject({ listed: 7, served: 0, missing: [1, 2, 3, 4, 5, 6, 7] });
    expect(early?.detail).toContain(
      '0 of 7 volumes that the volume server lists are in target.dirs',
    );
    expect(early?.detail).toContain(`add ${join(folder, 'data')}`);
    await until(async () => (await health()).status === 'degraded');
    const text = await (await fetch(`http://${running.adminAddress}/metrics`)).text();
    expect(text).toContain('seaweed_rdma_target_listed_volumes{state="missing"} 7');
    expect(text).toContain('seaweed_rdma_target_listed_volumes{state="served"} 0');
    await pause(500);
    const told = lines.filter(({ event }) => String(event).startsWith('volumes-'));
    expect(told).toMatchObject([{ event: 'volumes-missing', listed: 7, served: 0 }]);
    expect(lines.some(({ detail }) => /7 volumes are served/.test(String(detail)))).toBe(false);
  }, 30_000);
});

/** Without a hint each of them waits for the next scan, a second after the one that found the last. */
const newVolumes = 8;
const soonMs = (newVolumes * 1_000) / 2;

describe.each(hasUcx ? (['inproc', 'ucx'] as const) : (['inproc'] as const))(
  'a proxy with %s',
  (transport) => {
    let folder: string;
    let server: VolumeServer;
    let stack: Stack;
    let agent: Agent;

    beforeAll(async () => {
      folder = makeFolder();
      server = await startServer(folder);
      agent = new Agent({ keepAlive: true });
      const servers = [{ url: server.url, dirs: [server.dir] }];
      const roles = join(folder, 'roles');
      stack = await startStack({ transport, folder: roles, servers, confirmEveryMs: 1_000 });
      await until(async () => (await ask('GET', 9_999)).reason === 'unknown-volume');
    });

    afterAll(async () => {
      // A connection that is kept alive would be waited for.
      agent.destroy();
      await stack.stop();
      await server.close();
      rmSync(folder, { recursive: true });
    });

    async function ask(
      method: string,
      volumeId: number,
    ): Promise<{ readonly status: number; readonly source: string; readonly reason: string }> {
      const path = `/${volumeId},0100000001`;
      const options = { agent, host: '127.0.0.1', port: stack.port, method, path };
      const [answer] = (await once(request(options).end(), 'response')) as [IncomingMessage];
      let text = '';
      for await (const chunk of answer) text += String(chunk);
      const status = answer.statusCode ?? 0;
      if (method === 'GET' && status === 200) expect(text).toBe(`of ${volumeId}`);
      const said = String(answer.headers['x-rdma-source']);
      const [source = '', reason = ''] = said.split(';reason=');
      return { status, source, reason };
    }

    async function untilServed(volumeId: number): Promise<void> {
      await until(async () => ['rdma', 'cache'].includes((await ask('GET', volumeId)).source));
    }

    test('answers reads of a new volume soon after the first write that it forwards', async () => {
      const begunAt = performance.now();
      for (let volumeId = 1; volumeId <= newVolumes; volumeId += 1) {
        expect((await ask('POST', volumeId)).status).toBe(201);
        await untilServed(volumeId);
      }
      expect(performance.now() - begunAt).toBeLessThan(soonMs);
    });

    test('answers reads of a new volume that others write to soon after the first read', async () => {
      const begunAt = performance.now();
      for (let volumeId = 1; volumeId <= newVolumes; volumeId += 1) {
        const others = newVolumes + volumeId;
        server.create(others);
        await untilServed(others);
      }
      expect(performance.now() - begunAt).toBeLessThan(soonMs);
    });

    test('takes no request for a volume that nobody has for a hint', async () => {
      await pause(1_500);
      const before = server.polls;
      const begunAt = performance.now();
      for (let volumeId = 100; volumeId < 400; volumeId += 1) {
        expect((await ask('GET', volumeId)).status).toBe(404);
      }
      const intervals = (performance.now() - begunAt) / stack.confirmEveryMs;
      expect(server.polls - before).toBeLessThanOrEqual(Math.ceil(intervals) + 2);
    });
  },
);

interface Health {
  readonly status: string;
  readonly checks: Readonly<Record<string, { readonly detail: string }>>;
}

async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await isDone())) {
    if (performance.now() > deadline) throw new Error('it does not come about');
    await pause(20);
  }
}
