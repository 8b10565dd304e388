/** Directories, memory, devices and files that a role cannot have: the key and what to do, not the system's words alone. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  deviceWarnings,
  explainFabric,
  type FabricKeys,
} from '../../src/cli/roles/fabric-failure.ts';
import { fileReason } from '../../src/config/file-reason.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { RdmaUnavailableError } from '../../src/rdma/errors.ts';
import { infiniband, machine } from '../unit/doctor-machines.ts';
import { type LogLine, runProgram, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const data = join(scratch.folder, 'data');

beforeAll(() => {
  mkdirSync(data);
});

function targetFile(changes: Readonly<Record<string, unknown>>): string {
  const keys = {
    'rdma.port': 0,
    'rdma.buffer_size': '32MiB',
    'admin.listen': '127.0.0.1:0',
    'target.dirs': [data],
    'target.unconfirmed': true,
    ...changes,
  };
  const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  return scratch.write('target.toml', lines.join(''));
}

async function fatal(args: readonly string[]): Promise<LogLine> {
  const role = startRole(args);
  const line = await role.line('start-failed');
  expect((await role.ended)[0]).toBe(69);
  return line;
}

describe.skipIf(!loadBinding().hasUcx)('a target (needs UCX)', () => {
  test.each([
    [{ 'target.dirs': ['/nonexistent/a'] }, 'target.dirs', 'does not exist on this machine'],
    [{ 'target.dirs': ['/etc/hostname'] }, 'target.dirs', 'is no directory'],
    [{ 'target.dirs': ['/data/a,/data/b'] }, 'target.dirs', 'are a list: ["/a", "/b"]'],
    [{ 'target.idx_dirs': ['/nonexistent/i'] }, 'target.idx_dirs', "the volume server's -dir.idx"],
    [{ 'rdma.buffer_size': '100TiB' }, 'rdma.buffer_size', 'set rdma.buffer_size to less'],
    [{ 'rdma.listen': '::1' }, 'rdma.listen', 'use 127.0.0.1'],
    [{ 'rdma.tls': 'rc_mlx9' }, 'rdma.tls', 'UCX finds no transport with rdma.tls = "rc_mlx9"'],
  ])('%j names %s', async (changes, key, told) => {
    const line = await fatal(['target', '--config', targetFile(changes)]);
    expect(line).toMatchObject({ level: 'fatal', key });
    expect(line['message']).toContain(told);
  });

  test('with a device that is not there starts, and warns with the nearest name', async () => {
    const target = startRole(['target', '--config', targetFile({ 'rdma.device_name': 'lo1' })]);
    const warning = await target.line('configuration');
    expect(warning['message']).toContain('rdma.device_name: no device "lo1"');
    expect(warning['message']).toContain('set rdma.device_name = "lo"');
    await target.line('ready');
    expect(await target.stop()).toBe(0);
  });
});

test('the demo’s volume server names its option', async () => {
  const args = ['origin', '--dir', '/nonexistent/a', '--listen', '127.0.0.1:0'];
  const line = await fatal(args);
  expect(line).toMatchObject({ key: '--dir' });
  expect(line['message']).toContain('"/nonexistent/a" does not exist');
});

const keys: FabricKeys = {
  dirs: [{ key: 'rdma.dirs', paths: ['/data'] }],
  memory: { key: 'memory.size', bytes: 2 ** 30 },
  hugepagesKey: 'rdma.hugepages',
  ucx: { deviceName: 'mlx5_0:1', tls: 'auto' },
};

describe('what the native part says is put under its key', () => {
  test.each([
    ['/data: Permission denied', 'rdma.dirs', 'this user may not read "/data"'],
    ['/data/3.idx: Permission denied', 'rdma.dirs', 'this user may not read "/data/3.idx"'],
    [
      'no hugepages for an arena of 32 MiB: Cannot allocate memory; or set memory.hugepages to "try"',
      'rdma.hugepages',
      'set rdma.hugepages to "try"',
    ],
    ['ucp_init (device_name=mlx5_0:1, tls=auto): No such device', 'rdma.device_name', 'to "auto"'],
  ])('%s', (said, key, told) => {
    const found = explainFabric(new RdmaUnavailableError('start-failed', said), keys);
    expect(found?.key).toBe(key);
    expect(found?.message).toContain(told);
  });

  test('another directory, and another error, are left as they are', () => {
    for (const said of ['/other: Permission denied', 'ucp_listener_create: Device is busy']) {
      const error = new RdmaUnavailableError('start-failed', said);
      expect(explainFabric(error, keys)).toBeUndefined();
    }
    expect(explainFabric(new Error('/data: Permission denied'), keys)).toBeUndefined();
  });

  test('a device is looked for where the kernel lists them', () => {
    const root = machine(infiniband());
    expect(deviceWarnings(keys, root)).toEqual([]);
    const other = { ...keys, ucx: { deviceName: 'mlx5_1:1', tls: 'auto' } };
    expect(deviceWarnings(other, root)).toEqual([expect.stringContaining('mlx5_0:1')]);
    expect(deviceWarnings({ ...keys, ucx: undefined }, root)).toEqual([]);
  });
});

describe('a file that cannot be read is told in words', () => {
  test.each([
    ['/nonexistent/x.toml', 'there is no file "/nonexistent/x.toml"'],
    ['x-that-is-not-there.toml', '(a relative path: looked for in '],
    [scratch.folder, `"${scratch.folder}" is a directory`],
  ])('--config %s', async (file, told) => {
    const { status, stderr } = await runProgram(['proxy', '--config', file]);
    expect(status).toBe(78);
    expect(stderr).toContain(`cannot be read: `);
    expect(stderr).toContain(told);
  });

  test.each([
    ['rdma.secret_file', 'nothing/here', '(a relative path: looked for in '],
    ['admin.token_file', '/nonexistent/token', 'there is no file "/nonexistent/token"'],
    ['rdma.secret_file', scratch.folder, 'is a directory'],
  ])('%s = "%s"', async (key, path, told) => {
    const checked = await runProgram(['config', 'check', targetFile({ [key]: path })]);
    expect(checked.status).toBe(78);
    expect(checked.stderr).toContain(`${key}: cannot be read: `);
    expect(checked.stderr).toContain(told);
  });

  test('that this user may not read', () => {
    const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    expect(fileReason('/etc/secret', denied)).toBe('this user may not read "/etc/secret"');
  });
});
