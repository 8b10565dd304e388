/** A master and several real volume servers, each in a rack of its own so that volumes can be made on one of them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from '../free-ports.ts';

const startTimeoutMs = 60_000;

export interface ClusterServer {
  readonly url: string;
  readonly dir: string;
  signal(name: NodeJS.Signals): void;
  /** Resolves when it is gone. */
  kill(): Promise<void>;
}

export interface AssignedFid {
  /** "/volume,fid". */
  readonly path: string;
  readonly volumeId: number;
}

export class WeedCluster {
  readonly #weed: string;
  readonly #folder: string;
  readonly #processes: ChildProcess[] = [];
  #master = '';
  #masterGrpcPort = 0;

  constructor(weed: string, folder: string) {
    this.#weed = weed;
    this.#folder = folder;
  }

  async start(): Promise<void> {
    const [port = 0, grpcPort = 0] = await freePorts(2);
    const dir = join(this.#folder, 'master');
    mkdirSync(dir, { recursive: true });
    const flags = ['-telemetry=false', '-volumeSizeLimitMB=64', `-mdir=${dir}`];
    this.#spawn(['master', ...listenFlags(port, grpcPort), ...flags], dir);
    this.#master = `http://127.0.0.1:${port}`;
    this.#masterGrpcPort = grpcPort;
    await until('the master', () => isOk(`${this.#master}/cluster/healthz`));
  }

  /** Index 0 is in rack 0. */
  async addServer(index: number, readMode: string): Promise<ClusterServer> {
    const [port = 0, grpcPort = 0] = await freePorts(2);
    const dir = join(this.#folder, `server-${index}`);
    mkdirSync(dir, { recursive: true });
    const flags = ['-preStopSeconds=0', '-minFreeSpace=1MiB', '-max=20', `-readMode=${readMode}`];
    const place = [`-dir=${dir}`, `-rack=rack${index}`, `-master=${this.#masterAddress()}`];
    const child = this.#spawn(
      ['volume', ...listenFlags(port, grpcPort), ...flags, ...place],
      this.#folder,
    );
    const url = `http://127.0.0.1:${port}`;
    await until('the volume server', () => isOk(`${url}/healthz`));
    return {
      url,
      dir,
      signal: (name) => void child.kill(name),
      async kill() {
        const ended = once(child, 'close');
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  /** A new volume of its own collection on this server, and a needle of it to write to. */
  async assign(index: number, collection: string): Promise<AssignedFid> {
    const query = `collection=${collection}&rack=rack${index}`;
    await until('a new volume', () => isOk(`${this.#master}/vol/grow?count=1&${query}`));
    const answer = await fetch(`${this.#master}/dir/assign?${query}`);
    const { fid } = (await answer.json()) as { fid: string };
    return { path: `/${fid}`, volumeId: Number(fid.split(',')[0]) };
  }

  shell(...commands: readonly string[]): string {
    const input = ['lock', ...commands, 'unlock', ''].join('\n');
    const args = ['shell', `-master=${this.#masterAddress()}`];
    const { stdout, stderr } = spawnSync(this.#weed, args, {
      input,
      cwd: this.#folder,
      env: { ...process.env, HOME: this.#folder },
      encoding: 'utf8',
    });
    return stdout + stderr;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
    }
  }

  #masterAddress(): string {
    return `${this.#master.replace('http://', '')}.${this.#masterGrpcPort}`;
  }

  #spawn(args: readonly string[], cwd: string): ChildProcess {
    const env = { ...process.env, HOME: cwd };
    const child = spawn(this.#weed, args, { stdio: 'ignore', cwd, env });
    this.#processes.push(child);
    return child;
  }
}

function listenFlags(port: number, grpcPort: number): readonly string[] {
  return ['-ip=127.0.0.1', '-ip.bind=127.0.0.1', `-port=${port}`, `-port.grpc=${grpcPort}`];
}

async function isOk(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.ok === true;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${startTimeoutMs} ms for ${what}`);
    await pause(200);
  }
}
