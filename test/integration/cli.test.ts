/** The command line as a user meets it: exit codes, help, logs, signals. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand, runProgram, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const root = join(import.meta.dirname, '..', '..');

/** Needs neither the native part nor a volume server. */
const proxyToml = `[http]
listen = "127.0.0.1:0"
[seaweedfs]
volume_server_url = "http://127.0.0.1:9"
[rdma]
mode = "off"
[admin]
listen = "127.0.0.1:0"
[logging]
level = "info"
`;

let proxyFile = '';
beforeAll(() => {
  proxyFile = scratch.write('proxy.toml', proxyToml);
});

describe('help and usage', () => {
  test('the version is the package’s', async () => {
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;
    expect(await runProgram(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n` });
  });

  test.each([
    [],
    ['proxy'],
    ['target'],
    ['origin'],
    ['ping'],
    ['capabilities'],
    ['read'],
    ['bench'],
    ['config'],
    ['config', 'check'],
    ['config', 'print'],
    ['config', 'schema'],
    ['volume'],
    ['volume', 'create'],
    ['volume', 'inspect'],
    ['volume', 'verify'],
    ['setup'],
  ])('%s %s tells what it is for', async (...command) => {
    const { status, stdout } = await runProgram([...command, '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage: ${['seaweed-rdma', ...command].join(' ')} `);
    if (command.length !== 1 || !['config', 'volume'].includes(command[0] ?? '')) {
      expect(stdout).toMatch(/Examples?:/);
    }
  });

  test.each([
    [['nonsense']],
    [['ping']],
    [['ping', '--target', 'x']],
    [['ping', '--target', '127.0.0.1:1', '--config', 'x']],
    [['ping', '--target', '127.0.0.1:1', '--count', '0']],
    [['ping', '--target', '127.0.0.1:1', '--timeout', '1']],
    [['read', '--target', '127.0.0.1:1']],
    [['read', '3,1', '--target', '127.0.0.1:1']],
    [['read', '--volume', '3', '--target', '127.0.0.1:1']],
    [['read', '--volume', '-1', '--needle', '1', '--cookie', '1', '--target', '127.0.0.1:1']],
    [['bench', '--target', '127.0.0.1:1', '--size', '4k']],
    [['origin', '--dir', '/tmp']],
    [['config', 'check']],
    [['config', 'check', 'x', '--role', 'origin']],
  ])('%j is a usage error', async (args) => {
    const { status, stdout, stderr } = await runProgram(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).not.toBe('');
  });
});

describe('configuration', () => {
  test('config check prints every key and where it comes from', async () => {
    const environment = { SEAWEED_RDMA__CACHE__SIZE: '1MiB' };
    const checked = await runProgram(['config', 'check', proxyFile, '--json'], environment);
    expect(checked.status).toBe(0);
    const { ok, role, keys } = JSON.parse(checked.stdout);
    expect([ok, role]).toEqual([true, 'proxy']);
    expect(keys).toContainEqual({
      key: 'http.listen',
      value: '127.0.0.1:0',
      from: `${proxyFile}:2`,
    });
    expect(keys).toContainEqual({
      key: 'cache.size',
      value: '1MiB',
      from: 'SEAWEED_RDMA__CACHE__SIZE',
    });
    expect(keys).toContainEqual({ key: 'http.lane', value: true, from: 'default' });
  });

  test('a wrong file is told with its lines, and nothing starts', async () => {
    const wrong = scratch.write('wrong.toml', '[http]\nlnae = true\n[cache]\nsize = "5kb"\n');
    const checked = await runProgram(['config', 'check', wrong]);
    expect(checked.status).toBe(78);
    const told = checked.stderr.split('\n').filter((line) => line.startsWith(wrong));
    expect(told).toEqual([
      `${wrong}:2: http.lnae: unknown key; the nearest valid one is "lane"`,
      expect.stringMatching(/wrong\.toml:4: cache\.size: expected a size/),
    ]);
    const json = await runProgram(['config', 'check', wrong, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      problems: [{ line: 2 }, { line: 4 }],
    });
    expect(await runProgram(['proxy', '--config', wrong])).toMatchObject({
      status: 78,
      stdout: '',
    });
    expect(await runProgram(['target', '--config', '/nonexistent'])).toMatchObject({ status: 78 });
  });
});

describe('a role', () => {
  test('logs JSON lines, tells its addresses, reloads on SIGHUP and drains on SIGTERM', async () => {
    const file = scratch.write('reload.toml', proxyToml);
    const proxy = startRole(['proxy', '--config', file]);
    const ready = await proxy.ready();
    expect(ready).toMatchObject({
      level: 'info',
      role: 'proxy',
      http: expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/),
      admin: expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/),
    });
    expect(Date.parse(String(ready['timestamp']))).toBeGreaterThan(Date.now() - 60_000);

    scratch.write(
      'reload.toml',
      proxyToml.replace('"info"', '"debug"').replace('"off"', '"prefer"'),
    );
    proxy.signal('SIGHUP');
    expect(await proxy.line('reload')).toMatchObject({
      applied: [{ key: 'logging.level', old: 'info', new: 'debug' }],
      needRestart: [{ key: 'rdma.mode', old: 'off', new: 'prefer' }],
      unchanged: expect.any(Number),
    });
    expect(await proxy.line('restart-needed')).toMatchObject({ keys: ['rdma.mode'] });

    scratch.write('reload.toml', 'broken');
    proxy.signal('SIGHUP');
    expect((await proxy.line('reload-failed'))['message']).toContain('not TOML');

    expect(await proxy.stop()).toBe(0);
    expect(proxy.lines.map((line) => line['event'])).toEqual(
      expect.arrayContaining(['ready', 'draining', 'stopped']),
    );
  });

  test('reads secrets anew on SIGHUP, and never logs them', async () => {
    const securityFile = scratch.write('security.toml', '[jwt.signing.read]\nkey = "first key"\n');
    const tokenFile = scratch.write('token', 'first token');
    const proxy = startRole(['proxy', '--config', proxyFile], {
      SEAWEED_RDMA__SEAWEEDFS__SECURITY_TOML: securityFile,
      SEAWEED_RDMA__ADMIN__TOKEN_FILE: tokenFile,
      SEAWEED_RDMA__LOGGING__LEVEL: 'trace',
    });
    const { admin } = await proxy.ready();
    const statusWith = async (token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`http://${String(admin)}/stats`, { headers })).status;
    };
    expect(await statusWith('first token')).toBe(200);
    scratch.write('security.toml', '[jwt.signing.read]\nkey = "second key"\n');
    scratch.write('token', 'second token');
    proxy.signal('SIGHUP');
    const { applied, needRestart } = await proxy.line('reload');
    expect([applied, needRestart]).toEqual([
      [
        { key: 'seaweedfs.security_toml', ...same(securityFile), contentChanged: true },
        { key: 'admin.token_file', ...same(tokenFile), contentChanged: true },
      ],
      [],
    ]);
    expect(await statusWith('first token')).toBe(401);
    expect(await statusWith('second token')).toBe(200);
    expect(await proxy.stop()).toBe(0);
    expect(JSON.stringify(proxy.lines)).not.toMatch(/first|second/);
  });

  test('finishes what is in flight, unless a second signal comes', async () => {
    const { upstream, asked } = await silentServer();
    const proxy = startRole(['proxy', '--config', proxyFile], {
      SEAWEED_RDMA__SEAWEEDFS__VOLUME_SERVER_URL: upstream,
    });
    const { http } = await proxy.ready();
    const waiting = fetch(`http://${String(http)}/3,01637037d6`).catch(() => 'lost');
    await asked;
    proxy.signal('SIGTERM');
    await proxy.line('draining');
    expect(proxy.hasEnded).toBe(false);
    proxy.signal('SIGTERM');
    expect((await proxy.ended)[0]).toBe(128 + 15);
    expect(await waiting).toBe('lost');
  });

  test('goes on without a reader of its log', async () => {
    const proxy = startRole(['proxy', '--config', proxyFile]);
    const { admin } = await proxy.ready();
    proxy.closeStdout();
    proxy.signal('SIGHUP');
    expect((await fetch(`http://${String(admin)}/livez`)).status).toBe(200);
    expect(await proxy.stop()).toBe(0);
  });

  test('an address that is taken ends it with 69', async () => {
    const first = startRole(['proxy', '--config', proxyFile]);
    const { http } = await first.ready();
    const second = startRole(['proxy', '--config', proxyFile], {
      SEAWEED_RDMA__HTTP__LISTEN: String(http),
    });
    expect(await second.line('start-failed')).toMatchObject({ level: 'fatal', code: 'EADDRINUSE' });
    expect((await second.ended)[0]).toBe(69);
    expect(await first.stop()).toBe(0);
  });
});

describe('the launcher', () => {
  test('works through a link and from any folder', async () => {
    const link = join(scratch.folder, 'linked');
    await runCommand('ln', ['-s', join(root, 'bin', 'seaweed-rdma'), link]);
    expect((await runCommand(link, ['--version'], {}, '/')).status).toBe(0);
  });

  test('says what to do where nothing is compiled', async () => {
    const copy = scratch.write('bare/bin/seaweed-rdma', '');
    await runCommand('cp', [join(root, 'bin', 'seaweed-rdma'), copy]);
    await runCommand('chmod', ['755', copy]);
    const { status, stderr } = await runCommand(copy, []);
    expect(status).toBe(69);
    expect(stderr).toContain('npm run setup');
  });

  test('says which Node it needs where only an old one is', async () => {
    const copy = scratch.write('old/bin/seaweed-rdma', '');
    await runCommand('cp', [join(root, 'bin', 'seaweed-rdma'), copy]);
    await runCommand('chmod', ['755', copy]);
    scratch.write('old/dist/main.js', '');
    scratch.write('old/path/node', '#!/bin/sh\necho 20\n', 0o755);
    const path = `${join(scratch.folder, 'old', 'path')}:/usr/bin:/bin`;
    const { status, stderr } = await runCommand(copy, [], { PATH: path });
    expect(status).toBe(69);
    expect(stderr).toContain('Node 22 or later is needed');
  });
});

describe('without a target', () => {
  test.each([
    ['ping', ['ping']],
    ['read', ['read', '3,01637037d6']],
    ['bench', ['bench', '3,01637037d6']],
  ])('%s is unavailable', async (_name, args) => {
    const ended = await runProgram([
      ...args,
      '--target',
      '127.0.0.1:9',
      '--connect-timeout',
      '500ms',
    ]);
    expect(ended.status).toBe(69);
    expect(ended.stderr).toContain('127.0.0.1:9');
  });
});

/** A volume server that takes requests and never answers them; the probe's are not counted. */
async function silentServer(): Promise<{ upstream: string; asked: Promise<void> }> {
  const asked = Promise.withResolvers<void>();
  const server = createServer((request) => {
    if (request.url === '/3,01637037d6') asked.resolve();
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { upstream: `http://127.0.0.1:${port}`, asked: asked.promise };
}

/** A key that names the same file as before. */
function same(file: string): { readonly old: string; readonly new: string } {
  return { old: file, new: file };
}
