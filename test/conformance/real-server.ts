/**
 * The real volume server of a recorded group (and its peer), started with that group's flags on a scratch copy of the
 * data. Needs root: the server gets a mount namespace of its own, in which the host's tables of types are those of the
 * recording.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../free-ports.ts';
import { fixturesFolder, type RecordedGroup, type RecordedServer } from './transcript.ts';

export interface RealServer {
  /** host:port of the server under test, as it registered with its master. */
  readonly address: string;
  readonly publicAddress: string | undefined;
  readonly peerAddress: string | undefined;
  readonly dataFolder: string;
  stop(): Promise<void>;
}

const startTimeoutMs = 30_000;
const mimeTables = ['/etc/mime.types', '/etc/apache2/mime.types', '/etc/apache/mime.types'];

export async function startRealServer(
  weed: string,
  group: RecordedGroup,
  folder: string,
): Promise<RealServer> {
  const processes: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const child of processes.toReversed()) await end(child);
  };
  try {
    const [masterPort = 0, masterGrpc = 0, ...ports] = await freePorts(
      2 + 3 * group.servers.length,
    );
    const master = `127.0.0.1:${masterPort}.${masterGrpc}`;
    const masterFolder = join(folder, 'master');
    mkdirSync(masterFolder);
    const masterFlags = [
      `-port=${masterPort}`,
      `-port.grpc=${masterGrpc}`,
      `-mdir=${masterFolder}`,
    ];
    const loopback = ['-ip=127.0.0.1', '-ip.bind=127.0.0.1'];
    const start = (name: string, cwd: string, command: readonly string[]): void => {
      const log = openSync(join(folder, `${name}.log`), 'a');
      const [file = '', ...args] = command;
      processes.push(
        spawn(file, args, { cwd, stdio: ['ignore', log, log], env: { ...process.env, HOME: cwd } }),
      );
    };
    start('master', masterFolder, [
      weed,
      'master',
      ...loopback,
      ...masterFlags,
      '-telemetry=false',
    ]);
    await answers(`127.0.0.1:${masterPort}`, '/cluster/healthz');
    const addresses: string[] = [];
    for (const [index, server] of group.servers.entries()) {
      const [port = 0, grpc = 0, open = 0] = ports.slice(index * 3);
      const cwd = join(folder, `cwd-${server.name}`);
      mkdirSync(cwd);
      if (server.security !== undefined) writeFileSync(join(cwd, 'security.toml'), server.security);
      const flags = server.flags.map((flag) => flag.replace('{PORT+2}', String(open)));
      start(
        server.name,
        cwd,
        inNamespace(server, [
          weed,
          'volume',
          ...loopback,
          `-port=${port}`,
          `-port.grpc=${grpc}`,
          `-master=${master}`,
          `-dir=${copyData(server, folder)}`,
          '-max=100',
          '-preStopSeconds=0',
          '-minFreeSpace=1MiB',
          ...flags,
        ]),
      );
      addresses.push(`127.0.0.1:${port}`);
      await answers(`127.0.0.1:${port}`, '/healthz');
    }
    await registered(`127.0.0.1:${masterPort}`, addresses.length);
    const node = `127.0.0.1:${ports[0]}.${ports[1]}`;
    for (const command of group.setup ?? []) {
      const script = `lock\n${command.replace('{NODE}', node)}\nunlock\n`;
      spawnSync(weed, ['shell', `-master=${master}`], { input: script, cwd: folder });
    }
    const hasPublic = group.servers[0]?.flags.some((flag) => flag.includes('port.public')) === true;
    return {
      address: addresses[0] as string,
      publicAddress: hasPublic ? `127.0.0.1:${ports[2]}` : undefined,
      peerAddress: addresses[1],
      dataFolder: join(folder, `data-${group.servers[0]?.name}`),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** With fresh times: a server takes old ones for a volume that was left alone for long. */
function copyData(server: RecordedServer, folder: string): string {
  const data = join(folder, `data-${server.name}`);
  cpSync(join(fixturesFolder, server.data), data, { recursive: true });
  for (const name of readdirSync(data)) utimesSync(join(data, name), new Date(), new Date());
  return data;
}

function inNamespace(server: RecordedServer, command: readonly string[]): readonly string[] {
  const lines = ['mount --make-rprivate / 2>/dev/null || true'];
  lines.push('[ -d /usr/share/mime ] && mount -t tmpfs none /usr/share/mime || true');
  for (const table of mimeTables) {
    lines.push(`[ -e ${table} ] && mount --bind /dev/null ${table} || true`);
  }
  const [kind, path = ''] = server.mime.split(':');
  const table = join(fixturesFolder, path);
  if (kind === 'globs2') {
    lines.push(`mkdir -p /usr/share/mime; cp '${table}' /usr/share/mime/globs2`);
  } else if (kind === 'types') {
    lines.push(
      `[ -e /etc/mime.types ] || touch /etc/mime.types; mount --bind '${table}' /etc/mime.types`,
    );
  }
  lines.push(`exec ${command.map((word) => `'${word}'`).join(' ')}`);
  return ['unshare', '-m', 'sh', '-c', lines.join('\n')];
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}

async function answers(address: string, path: string): Promise<void> {
  await until(`${address}${path}`, async () => (await get(address, path)) !== undefined);
}

async function registered(master: string, count: number): Promise<void> {
  await until('the servers to register', async () => {
    const text = await get(master, '/dir/status');
    return (text?.match(/"PublicUrl"/g)?.length ?? 0) >= count;
  });
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited ${startTimeoutMs / 1000} s for ${what}`);
    await sleep(100);
  }
}

/** The body of a 200, undefined for anything else. */
function get(address: string, path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request(`http://${address}${path}`, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve(answer.statusCode === 200 ? text : undefined));
    });
    asked.on('error', () => resolve(undefined)).end();
  });
}

export function canStartRealServer(weed: string | undefined): weed is string {
  return weed !== undefined && existsSync(weed) && process.getuid?.() === 0;
}
