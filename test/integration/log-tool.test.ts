/** `seaweed-rdma log` and /api/requests: the real program, following a running proxy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { followersMax } from '../../src/admin/traffic/request-tail.ts';
import {
  type AdminStage,
  ask,
  cookie,
  fid,
  fillVolume,
  parsed,
  startStage,
} from './admin-stage.ts';
import { type Ended, program, runProgram } from './program.ts';
import { scratchFolder } from './scratch.ts';

const { folder: dir } = scratchFolder();
const tokenFile = join(dir, 'token');
const authorization = { authorization: 'Bearer a token' };
let stage: AdminStage;

beforeAll(async () => {
  fillVolume(dir, 8, 4096);
  writeFileSync(tokenFile, 'a token\n');
  stage = await startStage(dir, { token: () => 'a token' });
});

async function tool(...args: readonly string[]): Promise<Ended> {
  const place = ['--admin', stage.proxy.adminAddress, '--token-file', tokenFile];
  const ended = await runProgram(['log', ...args, ...place]);
  return { ...ended, stdout: Buffer.from(ended.stdout, 'latin1').toString('utf8') };
}

const read = (needleId: bigint, agent = 'test-client'): Promise<unknown> =>
  ask(`${stage.http}/${fid(needleId)}`, { 'user-agent': agent });

interface Line {
  readonly event: string;
  readonly path: string;
  readonly [name: string]: unknown;
}

const linesOf = (stdout: string): readonly Line[] =>
  stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));

class Followed {
  readonly #child: ChildProcess;
  stdout = '';
  stderr = '';
  #changed: () => void = () => undefined;

  constructor(of: AdminStage, ...args: readonly string[]) {
    const place = ['--admin', of.proxy.adminAddress, '--token-file', tokenFile];
    this.#child = spawn(program, ['log', '--follow', ...args, ...place]);
    this.#child.stdout?.on('data', (chunk) => {
      this.stdout += String(chunk);
      this.#changed();
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.stderr += String(chunk);
      this.#changed();
    });
  }

  /** Asks again and again until something is shown: that it follows is seen by nothing else. */
  async shows(text: string, ask: () => Promise<unknown>): Promise<void> {
    while (!this.stdout.includes(text)) {
      const changed = new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
      await ask();
      await Promise.race([changed, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
  }

  async ended(signal?: NodeJS.Signals): Promise<number> {
    const closed = once(this.#child, 'close');
    if (signal !== undefined) this.#child.kill(signal);
    const [code] = await closed;
    return code as number;
  }
}

describe('log', () => {
  test('lists the last requests by filters, without a cookie or token, the latest last', async () => {
    await read(1n);
    await ask(`${stage.http}/${fid(4711n)}?jwt=a-secret`, { 'user-agent': 'other-client' });
    await read(2n);
    await ask(`${stage.admin}/api/read?fid=${fid(3n)}`, authorization);
    const all = await tool('--json');
    expect(all.status).toBe(0);
    const shown = linesOf(all.stdout);
    expect(shown.map(({ path }) => path)).toEqual(['/3,01…', '/3,1267…?jwt=…', '/3,02…']);
    expect(shown[1]).toMatchObject({
      event: 'request',
      client: '127.0.0.1',
      userAgent: 'other-client',
      volumeId: 3,
      status: 404,
      outcome: 'passthrough',
      reason: 'not-found',
    });
    expect(all.stdout).not.toContain(cookie.toString(16));
    expect(all.stdout).not.toContain('a-secret');

    const filtered = await tool('--status', '4xx', '--agent', 'other', '--client', '127.0.0.0/8');
    expect(filtered.stdout.trim().split('\n').length).toBe(1);
    expect(filtered.stdout).toMatch(/127\.0\.0\.1 +404 +passthrough not-found .*GET \/3,1267…/);
    const own = linesOf((await tool('--json', '--own', '--limit', '1')).stdout);
    expect(own).toEqual([expect.objectContaining({ path: '/3,03…', isOwn: true })]);
  });

  test('says what a filter may be, and takes no limit beside --follow', async () => {
    const wrong = await tool('--reason', 'because');
    expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringContaining('not-found')]);
    expect((await tool('--follow', '--limit', '3')).status).toBe(2);
    const unknown = await runProgram(['log', '--admin', stage.proxy.adminAddress]);
    expect(unknown.stderr).toContain('--token-file');
  });
});

describe('log --follow', () => {
  test('shows what its filters let through as it ends, until Ctrl-C', async () => {
    const followed = new Followed(stage, '--json', '--agent', 'wanted', '--volume', '3');
    await followed.shows('/3,01…', () => read(1n, 'wanted-client'));
    await read(5n, 'another');
    await followed.shows('/3,06…', () => read(6n, 'wanted-client'));
    expect(await followed.ended('SIGINT')).toBe(0);
    const lines = linesOf(followed.stdout);
    expect(lines.filter(({ path }) => path === '/3,05…')).toEqual([]);
    expect(lines.every(({ userAgent }) => userAgent === 'wanted-client')).toBe(true);
    expect(followed.stderr).toBe('');
  });

  test('ends with the proxy, and says so', async () => {
    const going = await startStage(dir, { token: () => 'a token' });
    const followed = new Followed(going);
    await followed.shows('GET /3,01…', () => ask(`${going.http}/${fid(1n)}`));
    const ended = followed.ended();
    await going.proxy.close(1000);
    expect(await ended).toBe(0);
    expect(followed.stderr).toContain('the proxy has ended');
  });

  test('fails when the proxy breaks off without a word', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200).write('{"event":"alive"}\n');
      setTimeout(() => response.destroy(), 50);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as { port: number };
    const broken = await runProgram(['log', '--follow', '--admin', `127.0.0.1:${port}`]);
    server.close();
    expect([broken.status, broken.stdout]).toEqual([69, '']);
    expect(broken.stderr).not.toBe('');
  });

  test('is for followersMax at once, and a place is free again when one is gone', async () => {
    const url = `${stage.admin}/api/requests/follow`;
    const followers = await Promise.all(
      Array.from({ length: followersMax }, () => {
        const asked = request(url, { headers: authorization }).end();
        return once(asked, 'response').then(() => asked);
      }),
    );
    const refused = await ask(url, authorization);
    expect([refused.status, parsed<{ error: string }>(refused).error]).toEqual([
      429,
      expect.stringContaining(`${followersMax} follow already`),
    ]);
    for (const asked of followers) asked.destroy();
    await expect
      .poll(async () => {
        const asked = request(url, { headers: authorization }).end();
        const [answer] = await once(asked, 'response');
        asked.destroy();
        return answer.statusCode;
      })
      .toBe(200);
  });

  test('asks for the token, and is for no page of another site', async () => {
    const path = '/api/requests/follow';
    expect((await ask(`${stage.admin}${path}`)).status).toBe(401);
    const foreign = { ...authorization, 'sec-fetch-site': 'cross-site' };
    expect((await ask(`${stage.admin}${path}`, foreign)).status).toBe(403);
  });
});
