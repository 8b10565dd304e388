/** An address that cannot be had: the fatal line names the key, the address, who has it, and what to do. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explainStart, placeOf } from '../../src/cli/roles/start-failure.ts';
import { type LogLine, runCommand, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
let holder: Server;
let port = 0;

beforeAll(async () => {
  holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  port = (holder.address() as AddressInfo).port;
});

afterAll(() => {
  holder.close();
});

type Keys = Readonly<Record<string, string | number>>;

function toml(keys: Keys): string {
  const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  return scratch.write('role.toml', lines.join(''));
}

function proxyFile(changes: Keys): string {
  return toml({
    'http.listen': '127.0.0.1:0',
    'admin.listen': '127.0.0.1:0',
    'seaweedfs.volume_server_url': 'http://127.0.0.1:9',
    'rdma.mode': 'off',
    ...changes,
  });
}

async function fatal(args: readonly string[]): Promise<LogLine> {
  const role = startRole(args);
  const line = await role.line('start-failed');
  expect((await role.ended)[0]).toBe(69);
  return line;
}

describe('a port that is taken is told with its key and its holder', () => {
  test.each(['http.listen', 'admin.listen', 'sidecar.listen'])('%s of the proxy', async (key) => {
    const line = await fatal(['proxy', '--config', proxyFile({ [key]: `127.0.0.1:${port}` })]);
    expect(line).toMatchObject({
      level: 'fatal',
      code: 'EADDRINUSE',
      key,
      address: `127.0.0.1:${port}`,
      pid: process.pid,
    });
    expect(line['message']).toContain(`${key}: 127.0.0.1:${port} is taken by pid ${process.pid} (`);
    expect(line['message']).toContain(`set ${key} to another port`);
  });

  test('http.port, which is short for every address', async () => {
    const file = toml({
      'http.port': port,
      'admin.listen': '127.0.0.1:0',
      'seaweedfs.volume_server_url': 'http://127.0.0.1:9',
      'rdma.mode': 'off',
    });
    expect(await fatal(['proxy', '--config', file])).toMatchObject({
      key: 'http.port',
      pid: process.pid,
    });
  });

  test.each(['rdma.port', 'admin.listen'])('%s of the target', async (key) => {
    const file = toml({
      'rdma.port': key === 'rdma.port' ? port : 0,
      'rdma.buffer_size': '32MiB',
      'admin.listen': key === 'rdma.port' ? '127.0.0.1:0' : `127.0.0.1:${port}`,
      'target.dirs': [scratch.folder] as unknown as string,
      'target.unconfirmed': true as unknown as string,
    });
    const line = await fatal(['target', '--config', file]);
    expect(line).toMatchObject({ code: 'EADDRINUSE', key, pid: process.pid });
    expect(line['message']).toContain(`${key}: 127.0.0.1:${port} is taken by pid`);
  });

  test('--listen of the demo’s volume server', async () => {
    const args = ['origin', '--dir', scratch.folder, '--listen', `127.0.0.1:${port}`];
    expect(await fatal(args)).toMatchObject({ key: '--listen', pid: process.pid });
  });
});

describe('an address that this machine has not', () => {
  test.each([
    ['203.0.113.99:0', 'EADDRNOTAVAIL', 'no interface of this machine has 203.0.113.99'],
    [
      'no-such-host.invalid:0',
      /ENOTFOUND|EAI_AGAIN/,
      'the name "no-such-host.invalid" is not known',
    ],
  ])('%s', async (listen, code, told) => {
    const line = await fatal(['proxy', '--config', proxyFile({ 'http.listen': listen })]);
    expect(line).toMatchObject({ key: 'http.listen', code: expect.stringMatching(code) });
    expect(line['message']).toContain(told);
    expect(line['message']).toContain('127.0.0.1');
  });
});

describe('a socket file', () => {
  test('whose folder is not there', async () => {
    const listen = 'unix:/nonexistent/a.sock';
    const line = await fatal(['proxy', '--config', proxyFile({ 'http.listen': listen })]);
    expect(line['message']).toContain('the folder /nonexistent does not exist');
  });

  test('that a killed process has left behind, and one that is in use', async () => {
    const path = join(scratch.folder, 'a.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await runCommand(process.execPath, ['-e', script]);
    const file = proxyFile({ 'http.listen': `unix:${path}` });
    expect((await fatal(['proxy', '--config', file]))['message']).toContain(
      `Remove it: rm ${path}`,
    );

    await runCommand('rm', [path]);
    const server = createServer().listen(path);
    await once(server, 'listening');
    const inUse = (await fatal(['proxy', '--config', file]))['message'];
    expect(inUse).toContain('another process listens there');
    server.close();
  });
});

describe('a port for which this user has no right', () => {
  test('is told with the capability', async () => {
    const error = Object.assign(new Error('listen EACCES'), {
      code: 'EACCES',
      syscall: 'listen',
      address: '0.0.0.0',
      port: 80,
    });
    const place = placeOf('http.listen', { host: '0.0.0.0', port: 80 });
    const found = await explainStart(error, [place]);
    expect(found).toMatchObject({ key: 'http.listen', address: '0.0.0.0:80', code: 'EACCES' });
    expect(found?.message).toContain('CAP_NET_BIND_SERVICE');
  });
});

test('another failure is left as it is', async () => {
  const place = placeOf('http.listen', { host: '0.0.0.0', port: 80 });
  const other = Object.assign(new Error('x'), { code: 'EADDRINUSE', syscall: 'listen', port: 81 });
  expect(await explainStart(other, [place])).toBeUndefined();
  expect(await explainStart(new TypeError('x'), [place])).toBeUndefined();
});

test('a volume server that is this proxy by another name stops the start', async () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((row) => row?.family === 'IPv4' && !row.internal)?.address;
  if (own === undefined) return;
  const role = startRole([
    'proxy',
    '--config',
    proxyFile({
      'http.listen': '0.0.0.0:18099',
      'seaweedfs.volume_server_url': `http://${own}:18099`,
    }),
  ]);
  const line = await role.line('start-failed');
  expect((await role.ended)[0]).toBe(78);
  expect(line['message']).toContain(
    `is this proxy: http.listen = "0.0.0.0:18099" listens at ${own}`,
  );
});
