/** What npm ships: packed, installed into an empty folder, started and imported there. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { type Ended, runCommand } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const root = join(import.meta.dirname, '..', '..');
const consumer = join(scratch.folder, 'consumer');
const installed = join(consumer, 'node_modules', 'seaweed-rdma');
const addon = join('build', 'Release', 'seaweed_rdma.node');

let tarball = '';

beforeAll(async () => {
  const packed = await runCommand(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', scratch.folder],
    {},
    root,
  );
  expect(packed.status).toBe(0);
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  tarball = join(scratch.folder, filename);
  mkdirSync(consumer);
  scratch.write('consumer/package.json', '{"name":"consumer","private":true,"type":"module"}');
  await install();
});

/** With npm, from its cache or registry; where neither is there, the same files and the checkout's dependencies. */
async function install(): Promise<void> {
  const args = [
    'install',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    tarball,
  ];
  const fetchLimits = { npm_config_fetch_retries: '0', npm_config_fetch_timeout: '10000' };
  const ended = await runCommand('npm', args, fetchLimits, consumer);
  if (ended.status === 0) return;
  mkdirSync(installed, { recursive: true });
  await runCommand('tar', ['-xzf', tarball, '-C', installed, '--strip-components=1']);
  const modules = join(root, 'node_modules');
  for (const name of readdirSync(modules)) {
    const link = join(consumer, 'node_modules', name);
    if (!existsSync(link)) symlinkSync(join(modules, name), link);
  }
  mkdirSync(join(consumer, 'node_modules', '.bin'), { recursive: true });
}

describe('the package', () => {
  test('holds what it needs and nothing else', async () => {
    const { stdout } = await runCommand('tar', ['-tzf', tarball]);
    const names = stdout
      .trim()
      .split('\n')
      .map((name) => name.replace(/^package\//, ''));
    for (const name of [
      'package.json',
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'bin/seaweed-rdma',
      'dist/main.js',
      'dist/index.js',
      'dist/index.d.ts',
      'CMakeLists.txt',
      'native/protocol/wire.h',
      'config/proxy.toml',
      'config/target.toml',
      'docs/configuration.md',
      'docs/specification.md',
      'docs/measurements/cache.md',
      'docs/schema/proxy.schema.json',
      'docs/schema/target.schema.json',
      'examples/read-needle.ts',
      'scripts/install.mjs',
      'dashboard/index.html',
      'dashboard/dashboard.js',
    ]) {
      expect(names).toContain(name);
    }
    const strays = names.filter((name) =>
      /^bench\/|(^|\/)(src|test|build|node_modules)\/|\.test\.|_test\.cc$/.test(name),
    );
    expect(strays).toEqual([]);
  });

  test('has every picture of its pages', () => {
    const pages = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.endsWith('.md') && !name.startsWith('node_modules'),
    );
    const pictures = pages.flatMap((page) => {
      const text = readFileSync(join(installed, page), 'utf8');
      return [...text.matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)].map(([, path = '']) =>
        join(page, '..', path),
      );
    });
    expect(pictures).toContain(join('docs', 'images', 'dashboard-1440-light.png'));
    expect(pictures.filter((path) => !existsSync(join(installed, path)))).toEqual([]);
  });

  test('starts as a command', async () => {
    const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version as string;
    expect(await run(['--version'])).toMatchObject({ status: 0, stdout: `${version}\n` });
    const checked = await run(['config', 'check', join(installed, 'config', 'target.toml')]);
    expect(checked.status).toBe(0);
  });

  test('says what is missing where the native part is not built', async () => {
    const { status, stdout } = await run(['capabilities', '--json']);
    expect(status).toBe(69);
    expect(JSON.parse(stdout).native).toMatchObject({
      loaded: false,
      detail: expect.stringContaining('the native part is not built'),
    });
  });

  test('can be imported, with its types', async () => {
    scratch.write(
      'consumer/use.mts',
      `import { connect, createRdmaClient, type NeedleClient, type NeedleFetcher, NeedleReadError, RdmaUnavailableError, startProxy, startTarget } from 'seaweed-rdma';
export const all: readonly unknown[] = [createRdmaClient, startProxy, startTarget];
export async function readAll(client: NeedleClient): Promise<Uint8Array> {
  const name = { volumeId: 3, needleId: 1n, cookie: 1 };
  // @ts-expect-error: the cookie is missing
  await client.readNeedle({ volumeId: 3, needleId: 1n });
  // @ts-expect-error: by both
  await client.readNeedle({ ...name, fid: '3,01637037d6' });
  // @ts-expect-error: no such option
  await client.readNeedle({ ...name, lenght: 1 });
  // @ts-expect-error: a mixture
  await connect({ targets: ['a:1'], dirs: ['/data'] });
  using content = await client.readNeedle({ ...name, signal: AbortSignal.timeout(5) });
  const lastModified: Date | undefined = content.needle.lastModified;
  console.log(lastModified, content.bytes.length satisfies number);
  return content.copy();
}
export function status(error: NeedleReadError): boolean {
  return error.status === 'not_found' || error.retryable;
}
export function read(fetcher: NeedleFetcher): string { return fetcher.address; }
try {
  createRdmaClient({ kind: 'ucx', arenaBytes: 4194304, hugepages: 'off' });
} catch (error) {
  if (!(error instanceof RdmaUnavailableError)) throw error;
  console.log(error.code);
}
await connect({ targets: ['127.0.0.1:1'] }).catch((error) => {
  if (!(error instanceof RdmaUnavailableError)) throw error;
  console.log(error.code);
});
`,
    );
    const run = await runCommand(process.execPath, ['use.mts'], {}, consumer);
    expect(run).toMatchObject({ status: 0, stdout: 'addon-missing\naddon-missing\n' });
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2024',
      '--lib',
      'es2024,esnext.disposable',
    ];
    const types = [
      '--types',
      'node',
      '--typeRoots',
      join(root, 'node_modules', '@types'),
      '--skipLibCheck',
    ];
    scratch.write(
      'consumer/read-needle.mts',
      readFileSync(join(installed, 'examples', 'read-needle.ts')),
    );
    const page = readFileSync(join(root, 'docs', 'client.md'), 'utf8');
    const snippet = /```ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const declared = `declare function use(bytes: Uint8Array, mime: string): void;
declare function askTheVolumeServer(status: string): Promise<void>;
`;
    scratch.write('consumer/snippet.mts', `${snippet}${declared}`);
    const files = ['use.mts', 'read-needle.mts', 'snippet.mts'];
    const checked = await runCommand(tsc, [...options, ...types, ...files], {}, consumer);
    expect(checked.stdout).toBe('');
    expect(checked.status).toBe(0);
  });

  test('serves its dashboard', async () => {
    scratch.write('consumer/proxy.toml', dashboardConfig);
    scratch.write(
      'consumer/dashboard.mjs',
      `import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
const [command] = process.argv.slice(2);
const role = spawn(command, ['proxy', '--config', 'proxy.toml'], { stdio: ['ignore', 'pipe', 'inherit'] });
for await (const line of createInterface({ input: role.stdout })) {
  const { event, admin } = JSON.parse(line);
  if (event !== 'ready') continue;
  const page = await (await fetch('http://' + admin + '/')).text();
  const files = [...page.matchAll(/(?:src|href)="(\\/dashboard\\/[^"]+)"/g)].map(([, path]) => path);
  for (const path of [...files, '/dashboard/uplot.js']) {
    console.log((await fetch('http://' + admin + path)).status, path);
  }
  role.kill('SIGTERM');
}
`,
    );
    const { stdout } = await runCommand(
      process.execPath,
      ['dashboard.mjs', installedCommand()],
      { SEAWEED_RDMA_NODE: process.execPath },
      consumer,
    );
    expect(stdout.trim().split('\n')).toEqual([
      '200 /dashboard/icon.svg',
      '200 /dashboard/uplot.css',
      '200 /dashboard/dashboard.css',
      '200 /dashboard/dashboard.js',
      '200 /dashboard/uplot.js',
    ]);
  });

  test('finds the native part that was built inside it', async () => {
    // As scripts/install.mjs leaves it there.
    mkdirSync(join(installed, 'build', 'Release'), { recursive: true });
    cpSync(join(root, addon), join(installed, addon));
    const { status, stdout } = await run(['capabilities', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).native.loaded).toBe(true);
  });

  test('reads needles with connect(), as the example shows it', async () => {
    const dir = join(scratch.folder, 'volumes');
    mkdirSync(dir);
    const volume = createVolume({ dir, volumeId: 3 });
    const text = 'a needle that is read by a stranger\n'.repeat(100);
    const name = 'words.txt';
    volume.append({ needleId: 1n, cookie: 1, name, data: gzipSync(text), compressed: true });
    volume.close();
    const fid = formatFid(3, 1n, 1);
    const args = ['read-needle.mts', '--dir', dir, fid, formatFid(3, 2n, 1)];
    const ended = await runCommand(process.execPath, args, {}, consumer);
    expect(ended.stdout).toBe(text);
    expect(ended.stderr.split('\n')).toEqual([
      `${fid}: words.txt, ${text.length} bytes over inproc`,
      `${formatFid(3, 2n, 1)}: not_found (needle)`,
      '',
    ]);
    expect(ended.status).toBe(1);
  });

  test('its native part can be configured from the files that it ships', async () => {
    const folders = ['-S', installed, '-B', join(scratch.folder, 'native')];
    const { status, stderr } = await runCommand('cmake', [...folders, '-DSEAWEED_ADDON=OFF']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  test('its install script names what is missing, and only setup fails for it', async () => {
    // A PATH with Node's folder alone: no cmake.
    const path = { PATH: join(scratch.folder, 'nothing') };
    const script = join(installed, 'scripts', 'install.mjs');
    const lenient = await runCommand(process.execPath, [script], path);
    expect(lenient.status).toBe(0);
    expect(lenient.stderr).toContain('cmake is not installed');
    const strict = await runCommand(process.execPath, [script, '--required'], path);
    expect(strict.status).toBe(69);
  });
});

const dashboardConfig = `[http]
listen = "127.0.0.1:0"
[rdma]
mode = "off"
[admin]
listen = "127.0.0.1:0"
`;

function installedCommand(): string {
  const linked = join(consumer, 'node_modules', '.bin', 'seaweed-rdma');
  return existsSync(linked) ? linked : join(installed, 'bin', 'seaweed-rdma');
}

function run(args: readonly string[]): Promise<Ended> {
  return runCommand(installedCommand(), args, { SEAWEED_RDMA_NODE: process.execPath }, consumer);
}
