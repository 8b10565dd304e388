/** The volume server behind the demo's proxy: a real SeaweedFS where `weed` is on PATH or in WEED_BIN, else the origin. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRole } from '../role-process.ts';
import { ask } from './client.ts';

export interface VolumeServer {
  readonly name: string;
  /** SeaweedFS's own, which has the files open. */
  readonly isReal: boolean;
  /** host:port */
  readonly address: string;
  stop(): Promise<unknown>;
}

interface Weed {
  readonly name: string;
  stop(): Promise<void>;
}

const startTimeoutMs = 30_000;

/** The path of a `weed` binary, or undefined. */
function findWeed(): string | undefined {
  const named = process.env['WEED_BIN'];
  if (named !== undefined && named !== '') {
    if (!existsSync(named)) throw new Error(`WEED_BIN names ${named}, which is not there`);
    return named;
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, 'weed')).find((file) => existsSync(file));
}

export async function startVolumeServer(dataDir: string, workDir: string): Promise<VolumeServer> {
  const weed = findWeed();
  if (weed !== undefined) return startWeed(weed, dataDir, workDir);
  const args = ['--dir', dataDir, '--listen', '127.0.0.1:0'];
  const origin = await startRole('origin', { args });
  return {
    name: 'origin (embedded)',
    isReal: false,
    address: origin.bound['http'] as string,
    stop: origin.stop,
  };
}

async function startWeed(weed: string, dataDir: string, workDir: string): Promise<VolumeServer> {
  const [masterPort, masterGrpc, volumePort, volumeGrpc] = await freePorts(4);
  const bind = ['-ip=127.0.0.1', '-ip.bind=127.0.0.1'];
  const masterDir = join(workDir, 'master');
  mkdirSync(masterDir, { recursive: true });
  const master = run(weed, workDir, [
    'master',
    ...bind,
    `-port=${masterPort}`,
    `-port.grpc=${masterGrpc}`,
    `-mdir=${masterDir}`,
    '-telemetry=false',
  ]);
  await answers(`127.0.0.1:${masterPort}`, '/cluster/healthz', master);
  const volume = run(weed, workDir, [
    'volume',
    ...bind,
    `-port=${volumePort}`,
    `-port.grpc=${volumeGrpc}`,
    `-master=127.0.0.1:${masterPort}.${masterGrpc}`,
    `-dir=${dataDir}`,
    '-max=10',
    '-readMode=local',
    '-preStopSeconds=0',
    '-minFreeSpace=1MiB',
  ]);
  const address = `127.0.0.1:${volumePort}`;
  await answers(address, '/healthz', volume);
  const stop = async (): Promise<void> => {
    await volume.stop();
    await master.stop();
  };
  return { name: `SeaweedFS (${weed})`, isReal: true, address, stop };
}

function run(weed: string, workDir: string, args: readonly [string, ...string[]]): Weed {
  const log = openSync(join(workDir, `${args[0]}.log`), 'a');
  const child = spawn(weed, args, { cwd: workDir, stdio: ['ignore', log, log] });
  const killWithParent = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithParent);
  const ended = new Promise((resolve) => child.once('close', resolve));
  // One that cannot be run never answers, which is reported where that is waited for.
  child.once('error', () => {});
  const stop = async (): Promise<void> => {
    process.off('exit', killWithParent);
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  };
  return { name: args[0], stop };
}

async function answers(address: string, path: string, server: Weed): Promise<void> {
  const until = Date.now() + startTimeoutMs;
  while (Date.now() < until) {
    const answer = await ask(address, { path }).catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return;
    await sleep(100);
  }
  throw new Error(`weed ${server.name} was not ready within ${startTimeoutMs / 1000} s`);
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
