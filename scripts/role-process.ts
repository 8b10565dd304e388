/**
 * Starts a role of the product as a process of its own, as an operator would, and waits for its line with
 * "event":"ready"; a proxy listens before it knows its volume server and targets, so that of a proxy the line with
 * "event":"settled" is waited for as well. Used by the demo and by tests.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The ready line: every bound address by its name (http, rdma, admin). */
export type Bound = Readonly<Record<string, string>>;

/** The role's exit code, or the signal that ended it. */
type Ended = Promise<number | string>;

export interface RoleProcess {
  readonly bound: Bound;
  /** Lines that the role wrote to stdout and stderr so far. */
  readonly log: readonly string[];
  readonly pid: number;
  readonly ended: Ended;
  /** SIGTERM, then SIGKILL where it does not end by itself. */
  stop(): Ended;
}

export interface RoleOptions {
  /** TOML text. */
  readonly config?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A command that runs it, and stays the same process: ['ip', 'netns', 'exec', NAME]. */
  readonly under?: readonly string[];
}

const program = join(import.meta.dirname, '..', 'bin', 'seaweed-rdma');
const readyTimeoutMs = 120_000;
const stopTimeoutMs = 15_000;

/** Rejects with the role's log when it ends or is not ready in time. */
export async function startRole(
  role: string,
  { config, args = [], env = {}, under = [] }: RoleOptions,
): Promise<RoleProcess> {
  const roleArgs = [program, role, ...args];
  if (config !== undefined) {
    const file = join(mkdtempSync(join(tmpdir(), 'seaweed-rdma-')), `${role}.toml`);
    writeFileSync(file, config);
    roleArgs.push('--config', file);
  }
  const [command, ...rest] = [...under, ...roleArgs];
  const child = spawn(command as string, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const log: string[] = [];
  const killWithParent = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithParent);
  const ended: Ended = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      process.off('exit', killWithParent);
      resolve(code ?? signal ?? '');
    });
  });
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const bound = await new Promise<Bound>((resolve, reject) => {
    const fail = (what: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`${role} ${what}:\n${log.join('\n')}`));
    };
    const timer = setTimeout(() => fail('was not ready in time'), readyTimeoutMs);
    child.once('error', (error) => fail(error.message));
    let ready: Bound = {};
    void ended.then((code) => fail(`ended with ${code} before it was ready`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.push(line);
      if (line.includes('"event":"ready"')) ready = JSON.parse(line) as Bound;
      if (!line.includes(role === 'proxy' ? '"event":"settled"' : '"event":"ready"')) return;
      clearTimeout(timer);
      resolve(ready);
    });
  });
  return { bound, log, pid: child.pid as number, ended, stop: () => stop(child, ended) };
}

async function stop(child: ChildProcess, ended: Ended): Promise<number | string> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  const code = await ended;
  clearTimeout(timer);
  return code;
}
