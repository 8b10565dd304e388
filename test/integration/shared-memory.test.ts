/**
 * A full /dev/shm, and one that cannot be used. Both roles ended with "ucp_worker_create: No resources are available" and exit code 69, and the doctor
 * advised what was set already.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { mayRun, smallShm, withOwnMounts } from './namespaces.ts';
import { program, type Role, runCommand, runProgram, startRoleBy } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const full = smallShm(64, 62);
const isPossible = loadBinding().hasUcx && mayRun(withOwnMounts(full));
const roles: Role[] = [];

afterEach(async () => {
  for (const role of roles.splice(0).reverse()) if (!role.hasEnded) await role.stop();
});

const target = (tls: string): string =>
  scratch.write(
    'target.toml',
    `
[rdma]
port = 0
tls = "${tls}"
buffer_size = "32MiB"
hugepages = "off"
[target]
dirs = ["${scratch.folder}"]
unconfirmed = true
[admin]
listen = "127.0.0.1:0"
`,
  );

const proxy = (address: unknown): string =>
  scratch.write(
    'proxy.toml',
    `
[http]
listen = "127.0.0.1:0"
[seaweedfs]
volume_server_url = "http://127.0.0.1:9"
[rdma]
target = "${address}"
[memory]
size = "16MiB"
hugepages = "off"
[admin]
listen = "127.0.0.1:0"
`,
  );

/** Each leaves UCX without /dev/shm, and Node with the devices that it needs. */
const unusable = [
  ['read-only', 'mount -t tmpfs -o ro tmpfs /dev/shm', '^posix', 'cannot be written'],
  [
    'missing',
    'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9',
    'auto',
    'there is no /dev/shm',
  ],
] as const;

function start(setup: string, args: readonly string[]): Role {
  const role = startRoleBy(withOwnMounts(setup), args);
  roles.push(role);
  return role;
}

async function health(admin: unknown): Promise<unknown> {
  return (await fetch(`http://${admin}/health`)).json();
}

const degraded = {
  status: 'degraded',
  checks: {
    'shared-memory': {
      status: 'degraded',
      detail: expect.stringContaining('/dev/shm has 2 MiB of 64 MiB free'),
    },
  },
};

describe.skipIf(!isPossible)('with a full /dev/shm (needs UCX and mount namespaces)', () => {
  test('both roles serve, and say so', async () => {
    const host = start(full, ['target', '--config', target('auto')]);
    const ready = await host.ready();
    const lost = { level: 'warn', tls: '^posix' };
    expect(await host.line('shared-memory-lost')).toMatchObject(lost);
    expect(await health(ready['admin'])).toMatchObject(degraded);

    const front = start(full, ['proxy', '--config', proxy(ready['rdma'])]);
    const bound = await front.ready();
    expect(await front.line('shared-memory-lost')).toMatchObject(lost);
    await front.line('target-up');
    expect(await health(bound['admin'])).toMatchObject({ checks: degraded.checks });
  });

  test('a target that was told to use it does not start, and names it', async () => {
    const host = start(full, ['target', '--config', target('tcp,posix')]);
    const line = await host.line('start-failed');
    expect(line).toMatchObject({ key: 'rdma.tls' });
    expect(line['message']).toMatch(/\/dev\/shm has 2 MiB of 64 MiB free.*--shm-size.*"auto"/);
    expect((await host.ended)[0]).toBe(69);
  });

  test('the doctor names it, and not what is set already', async () => {
    const [command = '', ...words] = [...withOwnMounts(full), program, 'doctor', '--json'];
    const only = ['--only', 'ucx,memory', '--config', target('auto')];
    const { stdout } = await runCommand(command, [...words, ...only]);
    const { checks } = JSON.parse(stdout) as { checks: { name: string; fix: string[] }[] };
    const found = checks.find(({ name }) => name === 'shared-memory');
    expect(found).toMatchObject({ result: 'warn' });
    expect(found?.fix.join()).toContain('--shm-size');
    expect(checks.flatMap(({ fix }) => fix).join()).not.toContain('rdma.tls = "auto"');
  });

  test('that filled up while it ran, a target goes on', async () => {
    const volume = ['volume', 'create', scratch.folder, '--volume', '7', '--size', '1MiB'];
    expect((await runProgram([...volume, '--needles', '8', '--json'])).status).toBe(0);
    const tls = 'tcp,posix,self';
    const host = start(smallShm(64, 0), ['target', '--config', target(tls)]);
    const { rdma, pid } = await host.ready();
    const fill = ['-t', `${pid}`, '-m', 'sh', '-c', 'cat /dev/zero > /dev/shm/fill; df /dev/shm'];
    expect((await runCommand('nsenter', fill)).stdout).toContain('100%');
    const bench = ['bench', '--target', `${rdma}`, '--tls', tls, '--dir', scratch.folder];
    const { status, stdout, stderr } = await runProgram([
      ...bench,
      '--size',
      '1MiB',
      '--iterations',
      '400',
      '--depth',
      '2',
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('posix');
    expect(await host.stop()).toBe(0);
  });
});

const noSegments = ['unshare', '-i', ...withOwnMounts('echo 0 > /proc/sys/kernel/shmmni')];

describe.skipIf(!loadBinding().hasUcx || !mayRun(noSegments))(
  'where the kernel admits no System V segment (needs UCX and IPC namespaces)',
  () => {
    test('a target keeps its shared memory in /dev/shm, and names the limit', async () => {
      const host = startRoleBy(noSegments, ['target', '--config', target('auto')]);
      roles.push(host);
      const { admin } = await host.ready();
      const line = await host.line('shared-memory-lost');
      expect(line).toMatchObject({ level: 'warn', tls: '^sysv' });
      for (const text of [line['detail'], JSON.stringify(await health(admin))]) {
        expect(text).toContain('kernel.shmmni');
        expect(text).not.toContain('/dev/shm');
      }
      expect(line['message']).toContain('System V');
    });

    test('a target that was told to use it does not start, and the doctor says so', async () => {
      const host = startRoleBy(noSegments, ['target', '--config', target('tcp,sysv')]);
      roles.push(host);
      const line = await host.line('start-failed');
      expect(line).toMatchObject({ key: 'rdma.tls' });
      expect(line['message']).toContain('kernel.shmmni');
      const [command = '', ...words] = [...noSegments, program, 'doctor', '--json'];
      const only = ['--only', 'shared-memory', '--config', target('auto')];
      const { checks } = JSON.parse((await runCommand(command, [...words, ...only])).stdout);
      expect(checks).toMatchObject([
        {
          name: 'shared-memory',
          result: 'warn',
          summary: expect.stringContaining('kernel.shmmni'),
        },
      ]);
    });
  },
);

describe.each(unusable)(
  'with a %s /dev/shm (needs UCX and mount namespaces)',
  (_, setup, tls, says) => {
    const isRunnable = loadBinding().hasUcx && mayRun(withOwnMounts(setup));

    test.skipIf(!isRunnable)('a target serves, and says so', async () => {
      const host = start(setup, ['target', '--config', target('auto')]);
      const { admin } = await host.ready();
      const detail = expect.stringContaining(says);
      expect(await host.line('shared-memory-lost')).toMatchObject({ level: 'warn', tls, detail });
      expect(await health(admin)).toMatchObject({
        status: 'degraded',
        checks: { 'shared-memory': { status: 'degraded', detail } },
      });
    });
  },
);
