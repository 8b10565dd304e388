/**
 * The image's last stage, made in a folder: what the Dockerfile copies, from this checkout. Enough for a role, started by
 * a user who is not root and may write nowhere.
 */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { Role, runCommand } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';
import { root } from './made-tools.ts';

const scratch = scratchFolder();
const dockerfile = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8').replace(/\\\n/g, ' ');
const [buildStage = '', lastStage = ''] = dockerfile.split(/^FROM .*$/m).slice(1);

interface Copy {
  readonly sources: readonly string[];
  readonly target: string;
}

function copiesOf(stage: string): readonly Copy[] {
  return [...stage.matchAll(/^COPY (?:--from=build )?(.+)$/gm)].map(([, words = '']) => {
    const paths = words.trim().split(/\s+/);
    return { sources: paths.slice(0, -1), target: paths.at(-1) as string };
  });
}

/** Made by the build stage. */
const made = ['dist', 'node_modules', 'build/Release/seaweed_rdma.node'];

function makeImage(): string {
  const app = join(scratch.folder, 'app');
  for (const { sources, target } of copiesOf(lastStage)) {
    for (const source of sources) {
      const from = join(root, source.replace(/^\/app\//, ''));
      const isFolder = target.endsWith('/') && sources.length > 1;
      const to = isFolder
        ? join(app, target, source.split('/').at(-1) as string)
        : join(app, target);
      // The packages for production are fewer; what a role imports is the same.
      if (source === '/app/node_modules') symlinkSync(from, to);
      else cpSync(from, to, { recursive: true });
    }
  }
  chmodSync(scratch.folder, 0o755);
  return app;
}

describe('the Dockerfile', () => {
  test('copies only what the checkout or its build has', () => {
    const sources = [...copiesOf(buildStage), ...copiesOf(lastStage)].flatMap(
      (copy) => copy.sources,
    );
    const names = sources.map((source) => source.replace(/^\/app\//, ''));
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !made.includes(name) && !existsSync(join(root, name)))).toEqual(
      [],
    );
  });

  test('names no architecture, and leaves nothing of a package manager behind', () => {
    expect(dockerfile).not.toMatch(/x86_64|amd64(?!,linux\/arm64)|aarch64|--platform=(?!\$)/);
    const runs = [...dockerfile.matchAll(/^RUN (.*)$/gm)].map(([, command]) => String(command));
    const installs = runs.filter((command) => command.includes('apt-get install'));
    expect(installs.length).toBe(2);
    expect(installs.filter((command) => !command.includes('--no-install-recommends'))).toEqual([]);
    expect(installs.filter((command) => !command.includes('rm -rf /var/lib/apt/lists'))).toEqual(
      [],
    );
  });

  test('ends as a user who is not root, with a health check and labels', () => {
    const user = /^USER (\d+):(\d+)$/m.exec(lastStage);
    expect(Number(user?.[1])).toBeGreaterThan(0);
    expect(lastStage).toMatch(/^HEALTHCHECK /m);
    expect(lastStage).toMatch(/org\.opencontainers\.image\.licenses="Apache-2\.0"/);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(lastStage).toContain(`ARG VERSION=${version}\n`);
  });

  test('copies all that the npm package needs to run, beside what it is built from', () => {
    const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      files: string[];
    };
    const built = [
      'native',
      'CMakeLists.txt',
      'scripts/install.mjs',
      'CHANGELOG.md',
      'README.md',
      'examples',
      'docs/*.md',
      'docs/*.svg',
      'docs/measurements/*.md',
      'docs/images',
      'docs/man',
    ];
    const needed = files.filter((name) => !name.startsWith('!') && !built.includes(name));
    const copied = copiesOf(lastStage).flatMap((copy) => copy.sources);
    expect(needed.filter((name) => !copied.includes(`/app/${name}`))).toEqual([]);
  });
});

const pinnedNode = join(root, 'node_modules/node/bin/node');
const user = 65534;
const confined = [
  ...['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c'],
  `mount -o remount,bind,ro / && exec setpriv --reuid=${user} --regid=${user} --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"`,
  'sh',
] as const;

async function whyNotConfined(): Promise<string | undefined> {
  if (!loadBinding().hasUcx) return 'built without UCX: there is no target';
  if (process.getuid?.() !== 0) return 'not root: no other user and no mount namespace can be made';
  const { status, stderr } = await runCommand(confined[0], [
    ...confined.slice(1),
    pinnedNode,
    '--version',
  ]);
  return status === 0 ? undefined : `no confined process here: ${stderr.trim()}`;
}

const reason = await whyNotConfined();
if (reason !== undefined) console.log(`skipped: ${reason}`);

describe.skipIf(reason !== undefined)('what the image has', () => {
  const roles: Role[] = [];
  afterAll(() => {
    for (const role of roles) if (!role.hasEnded) role.signal('SIGKILL');
  });

  function start(app: string, args: readonly string[]): Role {
    const [command, ...more] = [...confined, join(app, 'bin/seaweed-rdma'), ...args];
    const role = new Role(spawn(command as string, more, { stdio: ['ignore', 'pipe', 'pipe'] }));
    roles.push(role);
    return role;
  }

  test('serves as another user without a capability, with a root that is read only', async () => {
    const app = makeImage();
    chmodSync(dirname(scratch.write('open/file', '')), 0o777);
    const probe = join(scratch.folder, 'open', 'probe');
    const touch = await runCommand(confined[0], [...confined.slice(1), 'touch', probe]);
    expect(touch.stderr).toMatch(/Read-only file system/);

    const admin = '[admin]\nlisten = "127.0.0.1:0"\n';
    const write = (name: string, content: string): string =>
      scratch.write(name, content + admin, 0o644);
    chmodSync(dirname(scratch.write('volumes/.keep', '')), 0o755);
    const target = start(app, [
      'target',
      '--config',
      write(
        'target.toml',
        `[rdma]\nport = 0\nbuffer_size = "64MiB"\n[target]\ndirs = ["${scratch.folder}/volumes"]\nunconfirmed = true\n`,
      ),
    ]);
    const { rdma } = await target.ready();
    const proxy = start(app, [
      'proxy',
      '--config',
      write(
        'proxy.toml',
        `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "http://127.0.0.1:9"\n[rdma]\ntarget = "${rdma}"\n[memory]\nsize = "64MiB"\n`,
      ),
    ]);
    await proxy.ready();
    await proxy.line('target-up');
    for (const role of [proxy, target]) {
      const code = await role.stop();
      expect([code, role.lines.at(-1)]).toMatchObject([0, { event: 'stopped' }]);
    }
  });

  test('gets IPC_LOCK through the file of Node, and with the bounding set that a pod has no other', async ({
    skip,
  }) => {
    // As the Dockerfile makes node-ipc-lock.
    const node = scratch.write('lock/node-ipc-lock', readFileSync(pinnedNode), 0o755);
    chmodSync(dirname(node), 0o755);
    const setcap = await runCommand('sh', ['-c', 'setcap cap_ipc_lock=ep "$0"', node]);
    if (setcap.status !== 0) skip(`no file capabilities here: ${setcap.stderr.trim()}`);
    const pod = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--bounding-set=-all,+ipc_lock',
    ];
    const show = ['-p', 'require("node:fs").readFileSync("/proc/self/status", "utf8")'];
    const run = await runCommand('setpriv', [...pod, '--', node, ...show]);
    const [, effective] = /^CapEff:\t([0-9a-f]+)$/m.exec(run.stdout) ?? [];
    // CAP_IPC_LOCK is 14.
    expect(Number.parseInt(effective ?? '0', 16)).toBe(2 ** 14);
    const without = ['--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'];
    const refused = await runCommand('setpriv', [...without, '--', node, ...show]);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/Operation not permitted/);
  });
});
