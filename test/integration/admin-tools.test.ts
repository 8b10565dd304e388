/** `stats`, `cache …` and `top`: the real program against a running proxy's admin listener. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AdminStage, ask, fid, fillVolume, startStage } from './admin-stage.ts';
import { program, runProgram } from './program.ts';
import { scratchFolder } from './scratch.ts';

const { folder: dir } = scratchFolder();
const tokenFile = join(dir, 'token');
let stage: AdminStage;
let admin: string;

beforeAll(async () => {
  fillVolume(dir, 8, 4096);
  writeFileSync(tokenFile, 'a token\n');
  stage = await startStage(dir, { token: () => 'a token' });
  admin = stage.proxy.adminAddress;
});

function tool(...args: readonly string[]): ReturnType<typeof runProgram> {
  return runProgram([...args, '--admin', admin, '--token-file', tokenFile]);
}

test('stats tells of the traffic that the proxy counted', async () => {
  await ask(`${stage.http}/${fid(1n)}`);
  await ask(`${stage.http}/${fid(1n)}`);
  const { status, stdout } = await tool('stats', '--json');
  expect(status).toBe(0);
  const stats = JSON.parse(stdout);
  expect(stats).toMatchObject({ admin, role: 'proxy', requests: { requests: 2 } });
  const text = (await tool('stats')).stdout;
  expect(text).toContain(`proxy ${stats.version} at ${admin}`);
  expect(text).toContain('target     inproc up by inproc, 1 of 1 volumes confirmed');
});

describe('the cache', () => {
  test('is warmed, listed and evicted', async () => {
    const file = join(dir, 'fids');
    writeFileSync(file, `# two needles\n${fid(2n)}\n\n${fid(3n)}\n`);
    const warmed = await tool('cache', 'warm', fid(4n), '--file', file, '--json');
    expect(warmed.status).toBe(0);
    expect(JSON.parse(warmed.stdout)).toMatchObject({ warmed: 3 });

    const listed = JSON.parse((await tool('cache', 'list', '--json')).stdout);
    const ids = listed.needles.map((needle: { needleId: string }) => needle.needleId);
    expect(ids).toEqual(expect.arrayContaining(['2', '3', '4']));
    expect((await tool('cache', 'stats')).stdout).toMatch(/needles {3}\d in/);

    expect((await tool('cache', 'evict', fid(2n))).stdout).toBe('1 needles left the cache\n');
    const all = JSON.parse((await tool('cache', 'evict', '--all', '--json')).stdout);
    expect(all.evicted).toBe(ids.length - 1);
    expect(stage.proxy.status().cache.needles).toBe(0);
  });

  test('that cannot be warmed by a needle that is not there says so, and fails', async () => {
    const { status, stdout } = await tool('cache', 'warm', fid(2n), fid(77n));
    expect(status).toBe(1);
    expect(stdout).toContain('1 of 2 warmed');
    expect(stdout).toContain(`${fid(77n)}  passthrough  not-found`);
  });

  test('is not emptied by a command that does not say what', async () => {
    const { status, stderr } = await tool('cache', 'evict');
    expect(status).toBe(2);
    expect(stderr).toContain('--all');
    expect((await tool('cache', 'warm')).status).toBe(2);
  });
});

describe('who cannot be asked', () => {
  test('without the token is told which file to name', async () => {
    const { status, stderr } = await runProgram(['stats', '--admin', admin]);
    expect(status).toBe(1);
    expect(stderr).toContain('--token-file');
  });

  test('where nothing listens is told where the address comes from', async () => {
    const { status, stderr } = await runProgram(['stats', '--admin', '127.0.0.1:1']);
    expect(status).toBe(69);
    expect(stderr).toContain('admin.listen');
  });

  test('because somebody else listens there is told that', async () => {
    const server = createServer((_request, response) => response.end('<html>')).listen(0);
    await once(server, 'listening');
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { status, stderr } = await runProgram(['stats', '--admin', address]);
    server.close();
    expect(status).toBe(1);
    expect(stderr).toContain('is it an admin listener?');
  });

  test('but by the address for all is asked on loopback, as a role logs that address', async () => {
    const open = await startStage(dir);
    const port = new URL(open.admin).port;
    const { status } = await runProgram(['cache', 'stats', '--admin', `0.0.0.0:${port}`]);
    await open.close();
    expect(status).toBe(0);
  });

  test('twice is a wrong use of cache', async () => {
    const { status } = await runProgram(['cache', 'stats', '--admin', admin, '--admin', admin]);
    expect(status).toBe(2);
  });
});

describe('top', () => {
  test('tells of one interval, and of who does not answer', async () => {
    const args = ['top', '--once', '--interval', '300ms', '--admin', '127.0.0.1:1'];
    const running = tool(...args);
    for (let i = 0; i < 40; i += 1) await ask(`${stage.http}/${fid(5n)}`);
    const { status, stdout } = await running;
    expect(status).toBe(0);
    expect(stdout).toContain('nothing listens there');
    expect(stdout).toMatch(/cache {4,}\d/);
  });

  test('has an object a line with --json, and fails when nothing answered', async () => {
    const one = await tool('top', '--once', '--json', '--interval', '50ms');
    expect(JSON.parse(one.stdout)).toMatchObject({ ok: true, admin, rates: { role: 'proxy' } });
    const none = await runProgram([
      'top',
      '--once',
      '--interval',
      '50ms',
      '--admin',
      '127.0.0.1:1',
    ]);
    expect(none.status).toBe(69);
  });

  test('on a terminal draws in place, ends with q and leaves the screen as it was', async (context) => {
    const isThere = spawnSync('script', ['--version']).error === undefined;
    context.skip(!isThere, 'script (util-linux) is not installed');
    const command = `stty cols 100 rows 30; exec '${program}' top --interval 100ms --admin ${admin} --token-file '${tokenFile}'`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let seen = '';
    const drawnTwice = new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        seen += chunk.toString('utf8');
        if (seen.split('requests/s').length > 2) resolve();
      });
    });
    await drawnTwice;
    child.stdin.write(' ');
    child.stdin.write('q');
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    expect(seen).toContain('\u001b[?1049h');
    expect(seen.trimEnd().endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
  });
});
