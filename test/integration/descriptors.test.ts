/**
 * A small RLIMIT_NOFILE. A role ended with "EMFILE: too many open files" of whatever it opened last, or by an assertion of
 * UCX; a target whose volumes had taken the last descriptor loaded all of them anew each second.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { after } from './namespaces.ts';
import { program, runCommand, runProgram, startRoleBy } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const data = join(scratch.folder, 'data');
const volumes = 100;

beforeAll(async () => {
  mkdirSync(data);
  const created = await runProgram(['volume', 'create', data, '--volume', '1', '--needles', '2']);
  expect(created.status).toBe(0);
  for (const name of readdirSync(data)) {
    for (let id = 2; id <= volumes; id += 1) {
      copyFileSync(join(data, name), join(data, name.replace(/^1\./, `${id}.`)));
    }
  }
});

const target = (): string =>
  scratch.write(
    'target.toml',
    `
[rdma]
port = 0
buffer_size = "16MiB"
hugepages = "off"
max_sessions = 20
[target]
dirs = ["${data}"]
unconfirmed = true
[admin]
listen = "127.0.0.1:0"
`,
  );

const proxy = (): string =>
  scratch.write(
    'proxy.toml',
    `
[http]
listen = "127.0.0.1:0"
[seaweedfs]
volume_server_url = "http://127.0.0.1:9"
[rdma]
target = "127.0.0.1:9"
[memory]
size = "16MiB"
hugepages = "off"
[limits]
connections = 500
[admin]
listen = "127.0.0.1:0"
`,
  );

const withDescriptors = (count: number): readonly string[] => after(`ulimit -n ${count}`);

describe.skipIf(!loadBinding().hasUcx)('with few descriptors (needs UCX)', () => {
  test.each([
    ['target', target, '100 volumes in', 'LimitNOFILE=496'],
    ['proxy', proxy, 'limits.connections = 500', 'LimitNOFILE=1256'],
  ] as const)('a %s does not start, and says how many it needs', async (name, file, what, fix) => {
    const role = startRoleBy(withDescriptors(60), [name, '--config', file()]);
    const line = await role.line('start-failed');
    expect(line['message']).toMatch(/^too few descriptors: RLIMIT_NOFILE is 60, and \d+ are open/);
    expect(line['message']).toContain(what);
    expect(line['message']).toContain(fix);
    expect((await role.ended)[0]).toBe(69);
  });

  test('a program that Node cannot load says so', async () => {
    const [command = '', ...words] = withDescriptors(20);
    const { status, stderr } = await runCommand(command, [...words, program, '--version']);
    expect(stderr).toMatch(/^seaweed-rdma: too few descriptors to start: RLIMIT_NOFILE is 20; set/);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(status).toBe(69);
  });

  test('a proxy with fewer than connections is warned at its start', async () => {
    const role = startRoleBy(withDescriptors(400), ['proxy', '--config', proxy()]);
    const warning = await role.line('configuration');
    expect(warning['message']).toBe(
      'RLIMIT_NOFILE is 400; limits.connections = 500 needs up to 1256: systemd: LimitNOFILE=1256; a shell: ulimit -n 1256; Docker: --ulimit nofile=1256',
    );
    await role.ready();
    expect(await role.stop()).toBe(0);
  });

  test('a target serves as many volumes as it may open, and says so once', async () => {
    const role = startRoleBy(withDescriptors(160), ['target', '--config', target()]);
    const { rdma, admin } = await role.ready();
    const short = await role.line('descriptors-short');
    expect(short).toMatchObject({ level: 'warn', limit: 160, volumes });
    expect(short['message']).toContain('LimitNOFILE=496');

    const health = async () => (await fetch(`http://${admin}/health`)).json() as Promise<unknown>;
    const stats = async () => (await fetch(`http://${admin}/stats`)).json() as Promise<Counted>;
    expect(await health()).toMatchObject({
      status: 'degraded',
      checks: { descriptors: { detail: expect.stringContaining('RLIMIT_NOFILE is 160') } },
    });
    const before = await stats();
    expect(before.volumesLoaded).toBeGreaterThan(20);
    // Three sweeps of the directories.
    const pings = ['ping', '--target', `${rdma}`, '--count', '4', '--interval', '1s'];
    expect((await runProgram(pings)).status).toBe(0);
    expect(await stats()).toMatchObject({
      volumesLoaded: before.volumesLoaded,
      reloads: before.reloads,
    });
    expect(role.lines.filter(({ event }) => event === 'descriptors-short')).toHaveLength(1);
    expect(await role.stop()).toBe(0);
  });

  test('peers that prove nothing take no more than a part of what is left, and a proxy is served beside them', async () => {
    const said = join(scratch.folder, 'stderr');
    const role = startRoleBy(after(`ulimit -n 160 && exec 2> ${said}`), [
      'target',
      '--config',
      target(),
    ]);
    const { rdma, admin } = await role.ready();
    await role.line('descriptors-short');
    const stats = async () => (await fetch(`http://${admin}/stats`)).json() as Promise<Counted>;
    const before = await stats();
    let open = 0;
    const sockets = Array.from({ length: 150 }, () => {
      open += 1;
      const socket = connect(Number(`${rdma}`.split(':')[1])).resume();
      return socket
        .on('error', () => undefined)
        .on('close', () => {
          open -= 1;
        });
    });
    await vi.waitFor(() => expect(open).toBeLessThan(40), 10_000);
    const ping = ['ping', '--target', `${rdma}`, '--count', '1', '--connect-timeout', '10s'];
    expect((await runProgram(ping)).status).toBe(0);
    for (const socket of sockets) socket.destroy();
    expect(await stats()).toMatchObject({
      volumesLoaded: before.volumesLoaded,
      reloads: before.reloads,
    });
    expect(await role.stop()).toBe(0);
    const lines = readFileSync(said, 'utf8').split('\n');
    expect(lines.length).toBeLessThan(50);
  });
});

interface Counted {
  readonly volumesLoaded: number;
  readonly reloads: number;
}
