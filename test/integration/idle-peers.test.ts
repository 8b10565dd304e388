/**
 * UCX took 1,024 connections that said nothing, waited for each without end, and took no other while they lasted: no
 * proxy had a session any more, health said ok, and `sessions_pending` was 0.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { ControlConnection } from '../../src/rdma/control/control-connection.ts';
import { holdConnections, type IdleConnections } from './idle-connections.ts';
import { listeningSockets } from './listening-sockets.ts';
import { scratchFolder } from './scratch.ts';
import { proxyToml, targetToml } from './small-roles.ts';

const { folder } = scratchFolder();
const roles: RoleProcess[] = [];
const held: IdleConnections[] = [];

afterEach(async () => {
  for (const each of held.splice(0)) each.close();
  for (const role of roles.splice(0).reverse()) await role.stop();
});

/** UCX's TCP data ports carry it first: a peer may stop anywhere behind. */
const magic = Buffer.alloc(8);
magic.writeBigUInt64LE(0xcafebabe12345678n);

const tcpAlone = 'tls = "tcp,self"';

async function target(keys = '', under: readonly string[] = []): Promise<RoleProcess> {
  return startedAs('target', targetToml(folder, 'port = 0', tcpAlone, keys), under);
}

async function proxyOf(target: RoleProcess, keys = ''): Promise<RoleProcess> {
  return startedAs('proxy', proxyToml({ target: target.bound['rdma'] }, tcpAlone, keys));
}

async function startedAs(
  name: 'target' | 'proxy',
  config: string,
  under: readonly string[] = [],
): Promise<RoleProcess> {
  const role = await startRole(name, { config, under });
  roles.push(role);
  return role;
}

async function hold(port: number, count: number, says: Buffer | string = ''): Promise<void> {
  held.push(await holdConnections({ port, count, says }));
}

const openCount = (): number => held.reduce((sum, { open }) => sum + open, 0);

async function statsOf(role: RoleProcess): Promise<Readonly<Record<string, unknown>>> {
  const answer = await fetch(`http://${role.bound['admin']}/stats`);
  return (await answer.json()) as Readonly<Record<string, unknown>>;
}

async function sessionsOf(target: RoleProcess): Promise<unknown> {
  return (await statsOf(target))['sessions'];
}

const portOf = (role: RoleProcess, name: string): number =>
  Number(String(role.bound[name]).split(':').at(-1));

/** Of UCX: the ports that the role does not tell. */
function dataPortsOf(role: RoleProcess): readonly number[] {
  const known = Object.keys(role.bound).map((name) => portOf(role, name));
  const ports = listeningSockets(role.pid).map(({ port }) => port);
  return ports.filter((port) => !known.includes(port));
}

describe.each([
  ['nothing', ''],
  ['one byte', 'x'],
  ["half of UCX's own greeting", magic.subarray(0, 4)],
])('1,030 connections that say %s to rdma.listen', (_, says) => {
  test('keep no proxy from a session while they last, and do not last', async () => {
    // Long enough that a proxy starts meanwhile on a busy machine.
    const it = await target('handshake_timeout = "10s"\nmax_pending_per_address = 100000');
    await proxyOf(it);
    await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(1), 5_000);
    await hold(portOf(it, 'rdma'), 1_030, says);

    await proxyOf(it);
    await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(2), 10_000);
    // The listener keeps 256 at a time.
    expect(openCount()).toBeGreaterThan(200);

    await vi.waitFor(() => expect(openCount()).toBe(0), { timeout: 20_000, interval: 100 });
    expect(await sessionsOf(it)).toBe(2);
    // What /stats tells is as old as the last look.
    await vi.waitFor(async () => {
      expect((await statsOf(it))['connections']).toMatchObject({ waiting: 0, ended: 1_030 });
    }, 5_000);
    expect(it.log.join('\n')).toContain('"event":"connections-ended"');
  }, 60_000);
});

test('admitted connections that begin no session keep no proxy from one', async () => {
  const it = await target('max_sessions = 8');
  const place = { host: '127.0.0.1', port: portOf(it, 'rdma'), timeoutMs: 2_000 };
  const idle: ControlConnection[] = [];
  for (let at = 0; at < 20; at += 1) {
    const control = new ControlConnection({
      ...place,
      secret: '',
      devices: 'lo',
      transports: 'tcp',
    });
    await control.admitted;
    idle.push(control);
  }
  await proxyOf(it);
  await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(1), 5_000);
  expect(await statsOf(it)).toMatchObject({ sessionsRefused: 0, sessionsLost: 0 });
  for (const each of idle) each.close();
});

test('more connections than the target has descriptors are ended, too', async () => {
  const limited = ['sh', '-c', 'ulimit -n 400; exec "$@"', 'sh'];
  const it = await target('handshake_timeout = "60s"', limited);
  await hold(portOf(it, 'rdma'), 800);
  // None is left to look through them with, but for those that the target holds.
  await vi.waitFor(() => expect(openCount()).toBeLessThanOrEqual(64), {
    timeout: 20_000,
    interval: 100,
  });
  await proxyOf(it);
  await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(1), 10_000);
}, 60_000);

test('connections of many addresses are bounded together', async () => {
  const it = await target('handshake_timeout = "60s"');
  const port = portOf(it, 'rdma');
  for (let from = 2; from < 12; from += 1) {
    held.push(await holdConnections({ port, count: 40, from: `127.0.0.${from}` }));
  }
  await vi.waitFor(() => expect(openCount()).toBe(256), { timeout: 10_000, interval: 50 });
  await proxyOf(it);
  await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(1), 10_000);
}, 30_000);

test('connections of one address are bounded before their time is over', async () => {
  const it = await target('handshake_timeout = "60s"\nmax_pending_per_address = 20');
  await hold(portOf(it, 'rdma'), 100);
  await vi.waitFor(() => expect(openCount()).toBe(20), { timeout: 5_000, interval: 50 });
  await proxyOf(it);
  await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(1), 3_000);
});

/** In MiB. */
function residentMemory({ pid }: RoleProcess): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
  return (pages * 4096) / 2 ** 20;
}

test.each([
  ['all that a line may have', 8_000, 256, 64],
  // Node reads 64 KiB of each before it hears that this is too much.
  ['a mebibyte without a line', 2 ** 20, 0, 160],
])(
  '256 connections that have proved nothing and send %s hold few bytes',
  async (_, bytes, left, most) => {
    const it = await target('handshake_timeout = "60s"\nmax_pending_per_address = 100000');
    const before = residentMemory(it);
    await hold(portOf(it, 'rdma'), 256, Buffer.alloc(bytes, 'x'));
    await vi.waitFor(() => expect(openCount()).toBe(left), { timeout: 20_000, interval: 50 });
    await vi.waitFor(async () => {
      expect((await statsOf(it))['connections']).toMatchObject({ waiting: left });
    }, 5_000);
    expect(residentMemory(it) - before).toBeLessThan(most);
  },
  30_000,
);

test.each([
  ['nothing', ''],
  ['the magic number and no more', magic],
])(
  'connections that say %s to a data port of UCX are ended, and sessions are not',
  async (_, says) => {
    const it = await target('handshake_timeout = "2s"\nmax_pending_per_address = 100000');
    await proxyOf(it);
    await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(1), 5_000);
    const ports = dataPortsOf(it);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) await hold(port, 300, says);
    await vi.waitFor(() => expect(openCount()).toBe(0), { timeout: 10_000, interval: 100 });
    expect(await sessionsOf(it)).toBe(1);
    expect(await statsOf(it)).toMatchObject({ sessionsLost: 0, sessionsTotal: 1 });
  },
  30_000,
);

test('connections that say nothing to a data port of a proxy are ended, and its session is not', async () => {
  const it = await target();
  const proxy = await proxyOf(it, 'handshake_timeout = "2s"\nmax_pending_per_address = 50');
  await vi.waitFor(async () => expect(await sessionsOf(it)).toBe(1), 5_000);
  const ports = dataPortsOf(proxy);
  expect(ports.length).toBeGreaterThan(0);
  for (const port of ports) await hold(port, 300);
  await vi.waitFor(() => expect(openCount()).toBe(50), { timeout: 5_000, interval: 50 });
  const health = await (await fetch(`http://${proxy.bound['admin']}/health`)).json();
  expect(health).toMatchObject({
    checks: { connections: { status: 'ok', waiting: 50, ended: 250 } },
  });
  await vi.waitFor(() => expect(openCount()).toBe(0), { timeout: 10_000, interval: 100 });
  expect(await statsOf(it)).toMatchObject({ sessions: 1, sessionsLost: 0, sessionsTotal: 1 });
}, 30_000);
