/** Real misconfigurations before the real program: the doctor finds each and names the fix. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue, layers } from '../../src/cli/doctor/check.ts';
import { verifyReadToken } from '../../src/needle/token/read-token.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { freePorts } from '../free-ports.ts';
import {
  type Examined,
  examine,
  failures,
  planted,
  secrets,
  serve,
  serveAsVolumeServer,
} from './doctor-rig.ts';
import { type Role, runProgram, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const data = join(scratch.folder, 'data');
const elsewhere = join(scratch.folder, 'elsewhere');
const secretText = 'a-secret-that-nobody-prints';
const secretFile = scratch.write('secret', secretText);
secrets.push(secretText, 'another-secret', 'a-signing-key');
const cookie = 0x637037d6;
const needles = 20;

let origin: Role;
let target: Role;
let originUrl = '';
let targetAddress = '';
let targetAdmin = '';
let ports: readonly number[] = [];

/** Keys as they are written; those of `changes` win, and undefined leaves one out. */
type Keys = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

function toml(name: string, keys: Keys): string {
  const sections = new Map<string, string[]>();
  for (const [dotted, value] of Object.entries(keys)) {
    const [section = '', key = ''] = dotted.split('.');
    if (value === undefined) continue;
    const lines = sections.get(section) ?? [];
    sections.set(section, [...lines, `${key} = ${JSON.stringify(value)}`]);
  }
  const text = [...sections].map(([section, lines]) => `[${section}]\n${lines.join('\n')}\n`);
  return scratch.write(name, text.join(''));
}

function proxyFile(changes: Keys = {}): string {
  return toml('proxy.toml', {
    'http.listen': `127.0.0.1:${ports[0]}`,
    'admin.listen': `127.0.0.1:${ports[1]}`,
    'seaweedfs.volume_server_url': originUrl,
    'rdma.target': targetAddress,
    'rdma.secret_file': secretFile,
    'memory.size': '64MiB',
    'limits.connections': 500,
    ...changes,
  });
}

function targetFile(changes: Keys = {}): string {
  return toml('target.toml', {
    'rdma.port': Number(targetAddress.split(':')[1] ?? 0),
    'rdma.buffer_size': '32MiB',
    'rdma.secret_file': secretFile,
    'target.dirs': [data],
    'target.volume_server_url': originUrl,
    'admin.listen': targetAdmin === '' ? '127.0.0.1:0' : targetAdmin,
    ...changes,
  });
}

function ask(file: string, only: readonly string[] = []): Promise<Examined> {
  return examine(['--config', file, ...only.flatMap((layer) => ['--only', layer])]);
}

beforeAll(async () => {
  mkdirSync(data);
  mkdirSync(elsewhere);
  for (const [dir, volumeId] of [
    [data, 1],
    [data, 2],
    [elsewhere, 9],
  ] as const) {
    using volume = createVolume({ dir, volumeId });
    for (let id = 1; id <= needles; id += 1) {
      const needle = { needleId: BigInt(id), cookie, data: Buffer.alloc(5000 + id, `${id} `) };
      volume.append(needle);
    }
  }
  ports = await freePorts(4);
  origin = startRole(['origin', '--dir', data, '--listen', '127.0.0.1:0']);
  originUrl = `http://${String((await origin.ready())['http'])}`;
  target = startRole(['target', '--config', targetFile()]);
  const ready = await target.ready();
  targetAddress = String(ready['rdma']);
  targetAdmin = String(ready['admin']);
  await target.line('confirmed');
});

afterAll(async () => {
  expect(await target.stop()).toBe(0);
  expect(await origin.stop()).toBe(0);
});

describe('a sound set-up', () => {
  test('has no failed check beside the target', async () => {
    const examined = await ask(targetFile());
    expect(failures(examined)).toEqual([]);
    expect(examined).toMatchObject({ status: 0, report: { ok: true, role: 'target' } });
    expect(planted(examined, 'needle-bytes', 'ok').summary).toContain('8 needles are the same');
    expect(planted(examined, 'listen-address', 'ok').summary).toContain('the running target');
    expect(planted(examined, 'bandwidth', 'ok').summary).toContain('on this host');
    // Every check of every layer says something, if only why it is skipped.
    const said = new Set(examined.report.checks.map(({ layer, name }) => `${layer} ${name}`));
    const all = layers.flatMap((layer) => catalogue[layer].map((name) => `${layer} ${name}`));
    expect([...said]).toEqual(all);
  });

  test('has no failed check on a client node', async () => {
    const fid = formatFid(2, 3n, cookie);
    const examined = await examine(['--config', proxyFile(), '--fid', fid]);
    expect(failures(examined)).toEqual([]);
    expect(examined).toMatchObject({ status: 0, report: { ok: true, role: 'proxy' } });
    expect(planted(examined, 'needle-bytes', 'ok').summary).toContain('the same 5003 bytes');
    expect(planted(examined, 'target-session', 'ok').evidence[0]).toContain('2 volumes announced');
  });
});

describe('each planted misconfiguration is found, with its fix', () => {
  test('a wrong secret', async () => {
    const wrong = scratch.write('wrong-secret', 'another-secret');
    const examined = await ask(proxyFile({ 'rdma.secret_file': wrong }), ['target']);
    expect(examined.status).toBe(1);
    const { summary, fixes } = planted(examined, 'target-session');
    expect(summary).toContain('wrong secret');
    expect(fixes).toContain('rdma.secret_file');
  });

  test('a wrong target port', async () => {
    const address = `127.0.0.1:${ports[2]}`;
    const examined = await ask(proxyFile({ 'rdma.target': address }), ['target']);
    const { summary, fixes } = planted(examined, 'target-port');
    expect(summary).toContain('nothing listens there');
    expect(fixes).toContain('rdma.target');
    expect(failures(examined)).toHaveLength(1);
  });

  test('a target whose name is not known', async () => {
    const address = 'no-such-host.invalid:18515';
    const examined = await ask(proxyFile({ 'rdma.target': address }), ['target']);
    expect(planted(examined, 'target-address').fixes).toContain('set rdma.target');
  });

  test('something else that listens on the target port, whether it answers or not', async () => {
    const answering = originUrl.slice('http://'.length);
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const quiet = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    for (const address of [answering, quiet]) {
      const file = proxyFile({ 'rdma.target': address });
      const args = ['--config', file, '--only', 'target', '--timeout', '1s'];
      const { summary, fixes } = planted(await examine(args), 'target-session');
      expect(summary).toContain('something else listens there');
      expect(fixes).toContain('set rdma.target');
    }
    silent.close();
  });

  test('a key that does not exist, and the machine is looked at all the same', async () => {
    const examined = await ask(proxyFile({ 'rdma.devcie_name': 'auto' }), [
      'configuration',
      'memory',
    ]);
    expect(examined.status).toBe(78);
    expect(planted(examined, 'config-file').fixes).toContain(
      'rename rdma.devcie_name to device_name',
    );
    expect(examined.report.checks.some(({ name }) => name === 'memlock')).toBe(true);
  });

  test('a device_name that does not exist', async () => {
    const examined = await ask(proxyFile({ 'rdma.device_name': 'loo' }), ['devices']);
    expect(examined.status).toBe(1);
    expect(planted(examined, 'device-name').fixes).toContain('set rdma.device_name = "lo"');
  });

  test('UCX_TLS, or rdma.tls, that excludes everything', async () => {
    const args = ['--config', proxyFile(), '--only', 'ucx', '--only', 'target'];
    const byVariable = await examine(args, { UCX_TLS: 'nosuch' });
    const { fix } = planted(byVariable, 'ucx-transports');
    expect(fix[0]).toContain('unset UCX_TLS');
    expect(fix[1]).toContain('"nosuch" is no transport');
    expect(planted(byVariable, 'ucx-environment', 'warn').fixes).toContain('unset UCX_TLS');
    expect(planted(byVariable, 'target-session').fixes).toContain('ucx-transports');
    const byKey = await ask(proxyFile({ 'rdma.tls': '^tcp,posix,sysv,cma,self' }), ['ucx']);
    expect(planted(byKey, 'ucx-transports').fixes).toContain('set rdma.tls = "auto"');
  });

  test('too little memory that may be locked', async (context) => {
    // Nothing pins without a device: one that is active is put beside the real limit.
    const port = 'sys/class/infiniband/mlx5_0/ports/1';
    scratch.write(`${port}/state`, '4: ACTIVE\n');
    scratch.write(`${port}/link_layer`, 'InfiniBand\n');
    const isRoot = process.getuid?.() === 0;
    const dropped = isRoot ? ['setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock'] : [];
    const wrapper = ['prlimit', '--memlock=65536:65536', ...dropped];
    const sys = ['--sys-root', join(scratch.folder, 'sys')];
    const args = ['--config', proxyFile(), '--only', 'memory'];
    const found = await examine([...args, ...sys], {}, wrapper).catch((error: unknown) => error);
    if (found instanceof Error && 'code' in found && found.code === 'ENOENT') {
      context.skip('prlimit or setpriv is not installed');
    }
    const { summary, fixes } = planted(found as Examined, 'memlock');
    expect(summary).toContain('64 KiB may be locked, memory.size needs 64 MiB');
    expect(fixes).toContain('LimitMEMLOCK=infinity');
    expect(fixes).toContain('IPC_LOCK');
    const withoutDevice = await examine(args, {}, wrapper);
    planted(withoutDevice, 'memlock', 'warn');
  });

  test('hugepages = "require" with none free', async (context) => {
    const free = /HugePages_Free:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    if (Number(free) >= 32) context.skip(`${free} hugepages are free here`);
    const examined = await ask(proxyFile({ 'memory.hugepages': 'require' }), ['memory']);
    const { fixes } = planted(examined, 'hugepages');
    expect(fixes).toContain('sysctl -w vm.nr_hugepages=');
    expect(fixes).toContain('memory.hugepages = "try"');
  });

  test('target.dirs that are not those of the volume server, seen from both hosts', async () => {
    const file = targetFile({
      'target.dirs': [elsewhere],
      'rdma.port': 0,
      'admin.listen': '127.0.0.1:0',
    });
    const served = planted(await ask(file, ['storage']), 'served-volumes');
    expect(served.summary).toBe(
      '0 of 2 volumes that the server lists are in target.dirs; missing: 1, 2',
    );
    expect(served.fixes).toContain('set target.dirs');
    expect(served.fixes).toContain(`which has ${data} too`);

    const other = startRole(['target', '--config', file]);
    const address = String((await other.ready())['rdma']);
    const examined = await ask(proxyFile({ 'rdma.target': address }), ['target', 'volumes']);
    const announced = planted(examined, 'announced-volumes');
    expect(announced.summary).toContain('does not announce: 1, 2');
    expect(announced.fixes).toContain('set target.dirs');
    expect(await other.stop()).toBe(0);
  });

  test('a target directory that does not exist', async () => {
    const file = targetFile({ 'target.dirs': [data, join(scratch.folder, 'gone')] });
    expect(planted(await ask(file, ['storage']), 'data-dirs').fixes).toContain('set target.dirs');
  });

  test('a volume_server_url that is no volume server', async () => {
    const url = await serve((_request, response) => response.end('<html>'));
    const examined = await ask(targetFile({ 'target.volume_server_url': url }), ['volume-server']);
    const { summary, fixes } = planted(examined, 'volume-server');
    expect(summary).toContain('is not a volume server');
    expect(fixes).toContain('set target.volume_server_url');
  });

  test('an admin port that another process has', async () => {
    const taken = new URL(await serve(() => undefined)).host;
    const examined = await ask(proxyFile({ 'admin.listen': taken }), ['ports']);
    const { summary, fixes } = planted(examined, 'listen-address');
    expect(summary).toContain(`is taken by pid ${process.pid}`);
    expect(fixes).toContain('set admin.listen');
  });

  test('too few file descriptors', async (context) => {
    const args = ['--config', proxyFile({ 'limits.connections': 2000 }), '--only', 'limits'];
    const wrapper = ['prlimit', '--nofile=512:512'];
    const found = await examine(args, {}, wrapper).catch((error: unknown) => error);
    if (found instanceof Error && 'code' in found && found.code === 'ENOENT') {
      context.skip('prlimit is not installed');
    }
    const { summary, fixes } = planted(found as Examined, 'descriptors');
    expect(summary).toContain('512 may be open');
    expect(fixes).toContain('LimitNOFILE=4506');
    expect(fixes).toContain('limits.connections');
  });

  test('a secret that every user can read, and one that is missing', async () => {
    const open = scratch.write('open-secret', secretText, 0o644);
    const readable = await ask(proxyFile({ 'rdma.secret_file': open }), ['configuration']);
    expect(readable.status).toBe(1);
    expect(planted(readable, 'secret-file').fixes).toContain(`chmod 600 ${open}`);
    const gone = join(scratch.folder, 'no-secret');
    const missing = await ask(proxyFile({ 'rdma.secret_file': gone }), ['configuration']);
    expect(missing.status).toBe(78);
    expect(planted(missing, 'secret-file').fixes).toContain(`> ${gone}`);
  });

  test('a needle that is damaged on disk', async () => {
    const dat = join(data, '1.dat');
    const before = readFileSync(dat);
    const damaged = Buffer.from(before);
    // The last one: nobody has read it yet.
    const at = damaged.lastIndexOf(`${needles} ${needles} `);
    damaged[at] = 0;
    writeFileSync(dat, damaged);
    const fid = formatFid(1, BigInt(needles), cookie);
    const args = ['--config', targetFile(), '--only', 'needle', '--fid', fid];
    const { summary, fixes } = planted(await examine(args), 'needle-bytes');
    writeFileSync(dat, before);
    expect(summary).toContain('damaged');
    expect(fixes).toContain('seaweed-rdma volume verify');
  });

  test('read tokens that the volume server wants, without a key and with a wrong one', async () => {
    const key = 'a-signing-key';
    const url = await serveAsVolumeServer({
      allows: (authorization = '') =>
        verifyReadToken(authorization.slice(7), key, '0,000000000000', Date.now() / 1000),
    });
    const file = (name: string, text: string): string =>
      scratch.write(name, `[jwt.signing.read]\nkey = "${text}"\n`);
    const askWith = (securityToml: string): Promise<Examined> =>
      ask(
        proxyFile({
          'seaweedfs.volume_server_url': url,
          'seaweedfs.security_toml': securityToml,
        }),
        ['security'],
      );
    const without = planted(await askWith(''), 'read-tokens');
    expect(without.summary).toContain('auth-unknown');
    expect(without.fixes).toContain('set seaweedfs.security_toml');
    const wrong = planted(await askWith(file('wrong.toml', 'another')), 'read-tokens');
    expect(wrong.summary).toContain('refuses a token');
    expect(wrong.fixes).toContain('jwt.signing.read.key');
    const right = planted(await askWith(file('right.toml', key)), 'read-tokens', 'ok');
    expect(right.summary).toContain('the key fits');
  });

  test('a volume server whose clock is an hour behind', async () => {
    const url = await serveAsVolumeServer({ clockAheadMs: -3_600_000 });
    const examined = await ask(proxyFile({ 'seaweedfs.volume_server_url': url }), ['clock']);
    const { summary, fixes } = planted(examined, 'clock-difference');
    expect(summary).toMatch(/(3599|3600|3601)\.\d s behind/);
    expect(fixes).toContain('timedatectl set-ntp true');
  });
});

describe('the command', () => {
  test('without a configuration it looks at the machine and says what it would check', async () => {
    const examined = await examine([]);
    expect(failures(examined)).toEqual([]);
    expect(examined.status).toBe(0);
    expect(examined.report.role).toBeNull();
    expect(planted(examined, 'addon', 'ok').summary).toContain('with UCX');
    const skipped = planted(examined, 'volume-server', 'skip');
    expect(skipped.evidence.join()).toContain('would ask GET /status');
  });

  test('before the target runs its absence is a warning, not a failure', async () => {
    const file = targetFile({ 'rdma.port': ports[3] ?? 0, 'admin.listen': '127.0.0.1:0' });
    const examined = await ask(file, ['target', 'volumes', 'needle', 'speed']);
    expect(examined.status).toBe(0);
    expect(planted(examined, 'target-port', 'warn').summary).toContain('does not run');
  });

  test('prints a table without colour where there is no terminal', async () => {
    const { status, stdout } = await runProgram([
      'doctor',
      '--only',
      'program',
      '--only',
      'limits',
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain('program\n  ok    node-version');
    expect(stdout).toContain('2 ok, 0 warn, 0 fail, 1 skip');
    expect(stdout).not.toContain('\u001b');
  });

  test('looks at layers and at single checks, several in one word', async () => {
    const examined = await examine(['--only', 'limits,memlock', '--only', 'node-version']);
    const names = examined.report.checks.map(({ name }) => name);
    expect(names).toEqual(['node-version', 'memlock', 'descriptors']);
  });

  test('a layer that does not exist is a mistake in the call', async () => {
    const { status, stderr } = await runProgram(['doctor', '--only', 'devics']);
    expect(status).toBe(2);
    expect(stderr).toContain('the nearest is "devices"');
  });
});
