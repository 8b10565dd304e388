/** Roles with `rdma.transport = "tcp"`: which ports they open, what may stand between them, and what they say where they do not fit. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { serveListedVolume } from './listed-volume.ts';
import { listeningSockets } from './listening-sockets.ts';
import { mayRun, withOwnNetwork } from './namespaces.ts';
import { program, type Role, runCommand, startRole, startRoleBy } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { proxyToml, targetToml } from './small-roles.ts';

const scratch = scratchFolder();
const cookie = 0x11223344;
const needles = [1, 4_096, 300_000, 5_000_000].map((size) => randomBytes(size));
const tcp = 'transport = "tcp"';
const roles: Role[] = [];
let serverUrl = '';

beforeAll(async () => {
  using volume = createVolume({ dir: scratch.folder, volumeId: 5 });
  for (const [index, data] of needles.entries()) {
    volume.append({ needleId: BigInt(index + 1), cookie, data });
  }
  serverUrl = await serveListedVolume();
});

afterEach(async () => {
  for (const role of roles.splice(0).reverse()) if (!role.hasEnded) await role.stop();
});

function secret(name: string): string {
  return `secret_file = "${scratch.write(name, `${name}, of sixteen bytes and more\n`)}"`;
}

async function start(name: 'target' | 'proxy', toml: string): Promise<Role> {
  const role = startRole([name, '--config', scratch.write(`${name}.toml`, toml)]);
  roles.push(role);
  await role.ready();
  return role;
}

const target = (...lines: readonly string[]): Promise<Role> =>
  start('target', targetToml(scratch.folder, tcp, ...lines));

function proxy(port: number, ...lines: readonly string[]): Promise<Role> {
  const toml = proxyToml({ target: `127.0.0.1:${port}` }, tcp, ...lines);
  return start('proxy', toml.replace('http://127.0.0.1:9', serverUrl));
}

const portOf = async (role: Role): Promise<number> =>
  Number(
    String((await role.ready())['rdma'])
      .split(':')
      .at(-1),
  );

async function awaitLine(role: Role, wanted: object): Promise<void> {
  await vi.waitFor(
    () => expect(role.lines).toContainEqual(expect.objectContaining(wanted)),
    15_000,
  );
}

async function read(of: Role, index: number): Promise<Buffer> {
  const { http } = await of.ready();
  const response = await fetch(`http://${http}/5,0${index + 1}${cookie.toString(16)}`);
  return Buffer.from(await response.arrayBuffer());
}

async function expectNeedles(of: Role): Promise<void> {
  for (const [index, data] of needles.entries()) {
    await vi.waitFor(async () => expect((await read(of, index)).equals(data)).toBe(true), 5_000);
  }
}

describe.skipIf(!loadBinding().hasUcx)('sessions over TCP (need the native part whole)', () => {
  test('carry every byte, open no port but those that are configured, and come back', async () => {
    const first = await target('port = 0', secret('one'));
    const port = await portOf(first);
    const reader = await proxy(port, secret('one'));
    await awaitLine(reader, { event: 'target-up', transport: expect.stringMatching(/^k?tls$/) });
    await expectNeedles(reader);
    for (const role of [first, reader]) {
      const { pid } = await role.ready();
      expect(listeningSockets(Number(pid))).toHaveLength(2);
    }
    first.signal('SIGKILL');
    await first.ended;
    expect((await read(reader, 1)).toString('latin1')).toBe('forwarded');
    await target(`port = ${port}`, secret('one'));
    await vi.waitFor(
      async () => expect((await read(reader, 2)).equals(needles[2] as Buffer)).toBe(true),
      15_000,
    );
  });

  test('go without TLS where both sides say so, and are refused with the cause where one does', async () => {
    const open = await target('port = 0', secret('one'), 'tls_off = true');
    const port = await portOf(open);
    const reader = await proxy(port, secret('one'), 'tls_off = true');
    await awaitLine(reader, { event: 'target-up', transport: 'tcp' });
    await expectNeedles(reader);
    await proxy(port, secret('one'));
    await awaitLine(open, {
      event: 'session-refused',
      detail: expect.stringContaining('rdma.tls_off'),
    });
  });

  test('are refused with another secret, and to strangers who say what they like', async () => {
    const host = await target('port = 0', secret('one'));
    const port = await portOf(host);
    const refused = await proxy(port, secret('two'));
    await awaitLine(host, { event: 'session-refused', reason: 'unauthorized' });
    await awaitLine(refused, { event: 'target-down', reason: 'unauthorized' });
    expect((await read(refused, 1)).toString('latin1')).toBe('forwarded');
    for (const bytes of [
      randomBytes(3_000),
      Buffer.from([0x16, 3, 1, 0, 200, 1]),
      Buffer.alloc(0),
    ]) {
      const stranger = connect(port, '127.0.0.1');
      stranger.on('error', () => undefined).resume();
      await new Promise((resolve) => stranger.on('close', resolve).end(bytes));
    }
    const reader = await proxy(port, secret('one'));
    await expectNeedles(reader);
  });

  test('are had from a target with UCX, too', async () => {
    const both = await start(
      'target',
      targetToml(scratch.folder, 'port = 0', secret('one'), 'device_name = "lo"'),
    );
    const reader = await proxy(await portOf(both), secret('one'));
    await awaitLine(reader, { event: 'target-up', transport: expect.stringMatching(/^k?tls$/) });
    await expectNeedles(reader);
  });

  const twoAddresses =
    'ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up && ip addr add 10.9.0.2/24 dev v0 && ip addr add 10.9.0.3/24 dev v0 && ip -6 addr add fd00::2/64 dev v0 nodad';
  const translated = `${twoAddresses} && nft 'table ip nat { chain out { type nat hook output priority -100; ip daddr 10.9.0.77 tcp dport 80 dnat to 10.9.0.3:18515; }; chain post { type nat hook postrouting priority 100; ip daddr 10.9.0.3 snat to 10.9.0.99; }; }'`;

  test.skipIf(!mayRun(withOwnNetwork(translated))).each([
    ['0.0.0.0', '10.9.0.3:18515'],
    ['10.9.0.3', '10.9.0.77:80'],
    ['::', '[fd00::2]:18515'],
    ['::1', '[::1]:18515'],
  ])(
    'at %s serve those who come to %s, through address translation (needs nft)',
    async (listen, dialled) => {
      const file = scratch.write(
        'target.toml',
        targetToml(scratch.folder, tcp, `listen = "${listen}"`, 'port = 18515', secret('one')),
      );
      const host = startRoleBy(withOwnNetwork(translated), ['target', '--config', file]);
      roles.push(host);
      const { pid } = await host.ready();
      const words = ['ping', '--target', dialled, '--transport', 'tcp', '--count', '1'];
      const by = ['-t', `${pid}`, '-m', '-n', program, ...words, '--secret-file'];
      const ended = await runCommand('nsenter', [...by, `${scratch.folder}/one`]);
      expect(ended).toMatchObject({ status: 0, stderr: '' });
    },
  );
});
