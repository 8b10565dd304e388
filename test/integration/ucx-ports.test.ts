/**
 * UCX's TCP ports write what they are told to write into the memory of the process, for every peer that they accept. Here
 * a program on another host sends exactly that to each port that a role listens on.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { listeningSockets } from './listening-sockets.ts';
import { runCommand } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { proxyToml, targetToml } from './small-roles.ts';
import { makeTwoHosts, type TwoHosts } from './two-hosts.ts';
import type { Fate } from './ucx-intruder.ts';

const made = makeTwoHosts();
const reason = typeof made === 'string' ? made : '';
const hosts = made as TwoHosts;
const { folder } = scratchFolder();
const roles: RoleProcess[] = [];

afterEach(async () => {
  for (const role of roles.splice(0).reverse()) await role.stop();
});

afterAll(() => {
  if (reason === '') hosts.remove();
});

/** Else a role beyond loopback does without UCX. */
const ucx = 'transport = "ucx"';

interface TargetKeys {
  readonly listen: string;
  readonly more?: string;
}

async function target({ listen, more = '' }: TargetKeys): Promise<RoleProcess> {
  const place = [`listen = "${listen}"`, 'port = 0', 'insecure = true'];
  return started('target', targetToml(folder, ...place, ucx, more));
}

async function proxy(target: string, host: string, more = ''): Promise<RoleProcess> {
  return started('proxy', proxyToml({ target, host }, ucx, more));
}

async function started(name: 'target' | 'proxy', config: string): Promise<RoleProcess> {
  const role = await startRole(name, { config, under: hosts.onHost });
  roles.push(role);
  return role;
}

/** Ports that were reached, by what became of the packet there. */
async function intrude(
  role: RoleProcess,
  words: readonly string[] = [],
): Promise<ReadonlyMap<number, Fate>> {
  const ports = [...new Set(listeningSockets(role.pid).map(({ port }) => port))];
  expect(ports.length).toBeGreaterThan(1);
  const [ip = '', ...under] = hosts.onOther;
  const intruder = `${import.meta.dirname}/ucx-intruder.ts`;
  const places = ports.map((port) => `${hosts.address}:${port}`);
  const { stdout, stderr } = await runCommand(ip, [
    ...under,
    process.execPath,
    intruder,
    ...words,
    ...places,
  ]);
  if (stderr !== '') throw new Error(stderr);
  const fates = Object.entries(JSON.parse(stdout) as Record<string, Fate>);
  return new Map(
    fates
      .filter(([, fate]) => fate !== 'refused')
      .map(([place, fate]) => [Number(place.split(':')[1]), fate]),
  );
}

const portOf = (role: RoleProcess, name: string): number =>
  Number(String(role.bound[name]).split(':').at(-1));

describe.skipIf(reason !== '')(`from another host${reason && ` (${reason})`}`, () => {
  test('nothing of a target and a proxy on loopback is reached', async () => {
    const it = await target({ listen: '127.0.0.1' });
    expect(await intrude(it)).toEqual(new Map());
    expect(await intrude(await proxy(String(it.bound['rdma']), '127.0.0.1'))).toEqual(new Map());
  });

  test('of a proxy whose target is on loopback, only HTTP and the admin listener are', async () => {
    const it = await target({ listen: '127.0.0.1' });
    const front = await proxy(String(it.bound['rdma']), '0.0.0.0');
    const fates = await intrude(front);
    const listeners = [portOf(front, 'http'), portOf(front, 'admin')];
    expect([...fates.keys()].sort()).toEqual(listeners.sort());
    expect([...fates.values()]).not.toContain('taken');
  });

  test('of a proxy without a target, only HTTP and the admin listener are', async () => {
    const front = await proxy('127.0.0.1:9', '0.0.0.0');
    const fates = await intrude(front);
    const listeners = [portOf(front, 'http'), portOf(front, 'admin')];
    expect([...fates.keys()].sort()).toEqual(listeners.sort());
    expect([...fates.values()]).not.toContain('taken');
  });

  test.each([
    ['with the devices of UCX on loopback', 'device_name = "lo"'],
    ["without UCX's TCP", 'tls = "^tcp"'],
  ])(
    'of a target that listens everywhere %s, rdma.listen alone is, and does not take it',
    async (_, more) => {
      const it = await target({ listen: '0.0.0.0', more: `${more}\nhandshake_timeout = "1s"` });
      const fates = await intrude(it);
      expect([...fates.keys()]).toEqual([portOf(it, 'rdma')]);
      expect([...fates.values()]).not.toContain('taken');
      expect(await intrude(it)).toEqual(fates);
    },
  );

  const trusted = 'ucx_tcp_trusted_network = true';

  test('of a target on a trusted network, rdma.listen alone is, and does not take it', async () => {
    const it = await target({ listen: hosts.address, more: trusted });
    expect(await intrude(it)).toEqual(new Map([[portOf(it, 'rdma'), 'control']]));
  });

  test('of a proxy on a trusted network, only HTTP and the admin listener are', async () => {
    const it = await target({ listen: hosts.address, more: trusted });
    const front = await proxy(String(it.bound['rdma']), '0.0.0.0', trusted);
    const fates = await intrude(front);
    const listeners = [portOf(front, 'http'), portOf(front, 'admin')];
    expect([...fates.keys()].sort()).toEqual(listeners.sort());
    expect([...fates.values()]).not.toContain('taken');
  });

  // The packet is the right one, and a host that was admitted is trusted with it.
  test('a host that was admitted by the target has a port that takes the packet, until it leaves', async () => {
    const it = await target({ listen: hosts.address, more: trusted });
    const fates = await intrude(it, ['--admitted-by', String(it.bound['rdma'])]);
    expect([...fates.values()]).toContain('taken');
    expect(fates.get(portOf(it, 'rdma'))).toBe('control');
    expect(await intrude(it)).toEqual(new Map([[portOf(it, 'rdma'), 'control']]));
  });

  test('what a host connected while it was admitted ends after it has left', async () => {
    const more = `${trusted}\nhandshake_timeout = "1s"`;
    const it = await target({ listen: hosts.address, more });
    const fates = await intrude(it, ['--admitted-by', String(it.bound['rdma']), '--leave']);
    expect([...fates.values()]).toContain('taken');
  }, 20_000);

  test('a host that does not know the secret is not admitted', async () => {
    const secret = `${folder}/secret`;
    writeFileSync(secret, 'sesame', { mode: 0o600 });
    const more = `secret_file = "${secret}"\n${trusted}`;
    const it = await target({ listen: hosts.address, more });
    const asking = intrude(it, ['--admitted-by', String(it.bound['rdma'])]);
    await expect(asking).rejects.toThrow(/does not know the secret/);
    expect(await intrude(it)).toEqual(new Map([[portOf(it, 'rdma'), 'control']]));
  });

  test('and no role starts on it untrusted', async () => {
    await expect(target({ listen: hosts.address })).rejects.toThrow(/ucx_tcp_trusted_network/);
    const reaching = proxy(`${hosts.address}:9`, '127.0.0.1');
    await expect(reaching).rejects.toThrow(/ucx_tcp_trusted_network/);
  });
});
