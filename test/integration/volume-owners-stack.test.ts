/** Two volume servers with a target beside each, over UCX: which of the four is down, and who is asked then. */
import { mkdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { StandInServer } from './stand-in-server.ts';

const scratch = scratchFolder();
const admin = '[admin]\nlisten = "127.0.0.1:0"\n';
const local = 'device_name = "lo"\ntls = "tcp,posix,sysv,cma,self"\n';
const fidOf = (volumeId: number, needleId = 1): string => `/${volumeId},0${needleId}00000007`;
const needles = 9;

interface Side {
  readonly server: StandInServer;
  readonly target: Role;
  readonly address: string;
}

const roles: Role[] = [];
let sides: readonly [Side, Side];

function started(role: string, config: string): Role {
  const running = startRole([role, '--config', scratch.write(`${Math.random()}.toml`, config)]);
  roles.push(running);
  return running;
}

async function startSide(volumeId: number): Promise<Side> {
  const dir = join(scratch.folder, `data-${volumeId}-${Math.random()}`);
  mkdirSync(dir);
  using volume = createVolume({ dir, volumeId });
  const stored: Record<string, string> = {};
  for (let id = 1; id <= needles; id += 1) {
    const data = `${volumeId}/${id}`;
    volume.append({ needleId: BigInt(id), cookie: 7, data: Buffer.from(data), mime: 'a/b' });
    stored[fidOf(volumeId, id)] = data;
  }
  const server = await new StandInServer().start();
  server.has(volumeId, stored);
  const target = started(
    'target',
    `[rdma]\nport = 0\nbuffer_size = "64MiB"\n${local}[target]\ndirs = ["${dir}"]\nvolume_server_url = "${server.url}"\nconfirm_every = "200ms"\n${admin}`,
  );
  return { server, target, address: String((await target.ready())['rdma']) };
}

beforeEach(async () => {
  sides = (await Promise.all([1, 2].map(startSide))) as unknown as [Side, Side];
});

afterEach(async () => {
  for (const role of roles.splice(0)) role.signal('SIGKILL');
  await Promise.all(sides.map(({ server }) => server.stop()));
});

interface RunningProxy {
  readonly role: Role;
  readonly http: string;
  readonly admin: string;
}

interface ProxyChange {
  readonly mode?: string;
  /** In the place of the second one's address. */
  readonly target?: string;
  readonly rdma?: string;
}

async function listening(change: ProxyChange = {}): Promise<RunningProxy> {
  const { mode = 'prefer', target = sides[1].address, rdma = '' } = change;
  const servers = sides.map(
    ({ server, address }, index) =>
      `[[seaweedfs.volume_server]]\nurl = "${server.url}"\ntarget = "${index === 0 ? address : target}"\n`,
  );
  const role = started(
    'proxy',
    `[http]\nlisten = "127.0.0.1:0"\ndebug_headers = true\n${servers.join('')}[rdma]\nmode = "${mode}"\n${local}${rdma}[cache]\nsize = "0B"\n[memory]\nsize = "32MiB"\n${admin}`,
  );
  const bound = await role.line('ready');
  return { role, http: `http://${bound['http']}`, admin: `http://${bound['admin']}` };
}

async function ask(url: string, method = 'GET'): Promise<string> {
  const answer = await fetch(url, { method });
  const text = await answer.text();
  const source = answer.headers.get('x-rdma-source') ?? '-';
  return `${answer.status} ${source}${source === 'rdma' ? ` ${text}` : ''}`;
}

async function until(url: string, expected: string): Promise<void> {
  let last = '';
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline) {
    last = await ask(url);
    if (last === expected) return;
    await pause(50);
  }
  throw new Error(`${url}: ${last}, and not ${expected}`);
}

async function serving(change: ProxyChange = {}): Promise<RunningProxy> {
  const proxy = await listening(change);
  await until(`${proxy.http}${fidOf(1)}`, '200 rdma 1/1');
  if (change.target === undefined) await until(`${proxy.http}${fidOf(2)}`, '200 rdma 2/1');
  return proxy;
}

describe.skipIf(!loadBinding().hasUcx)(
  'two volume servers with targets',
  () => {
    test('a volume whose target is down is read, written and deleted at its own server', async () => {
      const { role, http } = await serving();
      const { server, target } = sides[1];
      target.signal('SIGKILL');
      await role.line('target-down');
      const url = `${http}${fidOf(2)}`;
      expect(await ask(url)).toBe('200 passthrough;reason=target-down');
      expect(await ask(url, 'DELETE')).toBe('202 passthrough;reason=method');
      expect(server.volumes.get(2)?.has(fidOf(2))).toBe(false);
      expect(await ask(url)).toBe('404 passthrough;reason=target-down');
      expect(sides[0].server.askedOf(2)).toEqual([]);
      expect(await ask(`${http}${fidOf(1)}`)).toBe('200 rdma 1/1');
    });

    test('in mode require that is 503 for reads alone, and target = "" is no trouble', async () => {
      const { role, http } = await serving({ mode: 'require' });
      sides[1].target.signal('SIGKILL');
      await role.line('target-down');
      expect(await ask(`${http}${fidOf(2)}`)).toBe('503 -');
      expect(await ask(`${http}${fidOf(2)}`, 'DELETE')).toBe('202 passthrough;reason=method');
      expect(await ask(`${http}${fidOf(1)}`)).toBe('200 rdma 1/1');

      const without = await serving({ mode: 'require', target: '' });
      expect(await ask(`${without.http}${fidOf(2, 2)}`)).toBe('200 passthrough;reason=off');
      expect(sides[0].server.askedOf(2)).toEqual([]);
    });

    test.each(['prefer', 'require'])(
      'in mode %s a volume server that is down is 502, whatever its target does',
      async (mode) => {
        const { role, http } = await serving({ mode });
        await sides[1].server.stop();
        await role.line('upstream-down');
        await until(`${http}${fidOf(2)}`, '502 -');
        const failed = await vi.waitUntil(() => role.lines.find(({ status }) => status === 502));
        expect(failed).toMatchObject({
          event: 'request',
          outcome: 'error',
          reason: 'upstream-down',
        });
        expect(failed['error']).toMatch(/ECONNREFUSED/);
        expect(await ask(`${http}${fidOf(2)}`, 'DELETE')).toBe('502 -');
        expect(sides[0].server.askedOf(2)).toEqual([]);
        expect(await ask(`${http}${fidOf(1)}`)).toBe('200 rdma 1/1');

        await sides[1].server.start();
        await until(`${http}${fidOf(2)}`, '200 rdma 2/1');
      },
    );

    test('a session that is lost and had again changes nothing of who is asked', async () => {
      const { role, http } = await serving();
      sides[1].target.signal('SIGKILL');
      await role.line('target-down');
      await sides[1].server.stop();
      await until(`${http}${fidOf(2)}`, '502 -');
      expect(sides[0].server.askedOf(2)).toEqual([]);
    });
  },
  60_000,
);

describe.skipIf(!loadBinding().hasUcx)(
  'a proxy whose target does not answer its attempts to connect',
  () => {
    let silent: Server;
    const sockets = new Set<Socket>();

    beforeEach(async () => {
      silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    });
    afterEach(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });

    test.each([
      ['prefer', '200 passthrough;reason=target-down', 200],
      ['require', '503 -', 503],
    ])('in mode %s listens at once', async (mode, answer, readiness) => {
      const { port } = silent.address() as { port: number };
      // Neither has a target that answers, so that nothing is up.
      const target = `127.0.0.1:${port}`;
      sides = [{ ...sides[0], address: target }, sides[1]];
      const {
        role,
        http,
        admin: base,
      } = await listening({
        mode,
        target,
        rdma: 'connect_timeout = "20s"\n',
      });
      expect(await ask(`${http}${fidOf(2)}`)).toBe(answer);
      expect((await fetch(`${base}/readyz`)).status).toBe(readiness);
      const events = role.lines.map(({ event }) => event);
      expect(events).not.toContain('target-down');
      expect(events).not.toContain('target-up');
      expect(events).not.toContain('settled');
    });
  },
  60_000,
);

describe.skipIf(!loadBinding().hasUcx)(
  'a target that is stopped',
  () => {
    test('costs one slow read, is said in the log once, and is used again when it goes on', async () => {
      const { role, http } = await serving({ rdma: 'timeout = "1s"\n' });
      const { target } = sides[1];
      await target.freeze();
      const durations: number[] = [];
      const answers: string[] = [];
      for (let i = 0; i < 12; i += 1) {
        const startedAt = performance.now();
        answers.push(await ask(`${http}${fidOf(2)}`));
        durations.push(performance.now() - startedAt);
        await pause(200);
      }
      expect(answers[0]).toBe('200 passthrough;reason=deadline');
      expect(new Set(answers.slice(1))).toEqual(new Set(['200 passthrough;reason=breaker']));
      expect(durations.filter((ms) => ms > 700)).toHaveLength(1);
      const told = (event: string): readonly unknown[] =>
        role.lines.filter((line) => line['event'] === event);
      expect(told('breaker-open')).toMatchObject([
        { level: 'warn', target: sides[1].address, failures: 1, reason: 'deadline' },
      ]);
      expect(told('breaker-half-open')).toHaveLength(1);
      expect(told('breaker-closed')).toHaveLength(0);

      target.signal('SIGCONT');
      await role.line('breaker-closed');
      await until(`${http}${fidOf(2)}`, '200 rdma 2/1');
      expect(told('breaker-open')).toHaveLength(1);
      expect(told('breaker-closed')).toMatchObject([{ target: sides[1].address, failures: 1 }]);
    });
  },
  60_000,
);
