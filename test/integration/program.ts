/** The real program in child processes: tools that end, and roles that live until they are told to stop. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, expect } from 'vitest';

export const program: string = join(import.meta.dirname, '..', '..', 'bin', 'seaweed-rdma');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export async function runProgram(
  args: readonly string[],
  environment: Environment = {},
): Promise<Ended> {
  return runCommand(program, args, environment);
}

export async function runCommand(
  command: string,
  args: readonly string[],
  environment: Environment = {},
  folder: string = process.cwd(),
): Promise<Ended> {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout: await stdout, stderr: await stderr };
}

async function collect(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

export type LogLine = Readonly<Record<string, unknown>>;

export class Role {
  readonly lines: LogLine[] = [];
  readonly ended: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcessByStdio<null, Readable, Readable>) {
    this.#child = child;
    this.ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    createInterface(child.stdout).on('line', (line) => {
      this.lines.push(JSON.parse(line) as LogLine);
      for (const look of this.#waiting) look();
    });
    child.on('close', () => {
      for (const look of this.#waiting) look();
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** SIGSTOP; resolves when every thread has stopped, which takes a while on a busy machine. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP');
    const tasks = `/proc/${this.#child.pid}/task`;
    const isFrozen = (task: string): boolean =>
      readFileSync(`${tasks}/${task}/stat`, 'latin1').includes(') T ');
    await expect.poll(() => readdirSync(tasks).every(isFrozen), { timeout: 5_000 }).toBe(true);
  }

  /** What a reader that goes away does to the role. */
  closeStdout(): void {
    this.#child.stdout.destroy();
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The first line with this event, now or later. Rejects when the role ends without it. */
  line(event: string): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.lines.find((line) => line['event'] === event);
        if (found === undefined && !this.hasEnded) return;
        this.#waiting.delete(look);
        if (found !== undefined) resolve(found);
        else reject(new Error(`ended without "${event}": ${JSON.stringify(this.lines)}`));
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** The line with every address, of a proxy that has heard its volume servers and targets once. */
  async ready(): Promise<LogLine> {
    const ready = await this.line('ready');
    if (ready['role'] === 'proxy') await this.line('settled');
    return ready;
  }

  /** Drains; returns the exit code. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    const [code] = await this.ended;
    return code;
  }
}

const started: Role[] = [];

// Not where a role is started: a hook that is made while a test runs is none of the file's.
afterAll(() => {
  for (const role of started) if (!role.hasEnded) role.signal('SIGKILL');
});

/** Not ready yet: await `ready()`. Whatever is left when the file's tests are over is killed. */
export function startRole(args: readonly string[], environment: Environment = {}): Role {
  return startCommand(program, args, environment);
}

/** Likewise, by a command that runs its arguments; see namespaces.ts. */
export function startRoleBy(
  [command = '', ...words]: readonly string[],
  args: readonly string[],
): Role {
  return startCommand(command, [...words, program, ...args], {});
}

function startCommand(command: string, args: readonly string[], environment: Environment): Role {
  const child = spawn(command, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const role = new Role(child);
  started.push(role);
  return role;
}
