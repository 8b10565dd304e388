/**
 * Starts the programs of the suites. Each leads a process group of its own, so that an interrupt or a time limit also ends what the program
 * started.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { pinnedEnv, root } from '../setup/pinned-node.mjs';

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** Gets both streams as they come. */
  print(text: string): void;
}

export interface Ended {
  /** Undefined if a signal ended it, or if it did not start. */
  readonly status: number | undefined;
  /** "status 1", "signal SIGSEGV" or why it did not start. */
  readonly how: string;
}

/** Process groups that run. */
const groups = new Set<number>();
/** Time between the signal that asks the programs to end and SIGKILL. */
const patienceMs = 10_000;
/** The longest that a timer can wait: 24 days. */
const timeoutMsMax = 2 ** 31 - 1;
let isInterrupted = false;

export function runProgram({ command, args, print, timeoutMs, ...where }: Program): Promise<Ended> {
  // An interrupted run starts nothing more. Its suites wait until the process ends.
  if (isInterrupted) return new Promise(() => {});
  const { promise, resolve } = Promise.withResolvers<Ended>();
  const child = spawn(command, args, {
    cwd: where.cwd ?? root,
    env: where.env ?? pinnedEnv(),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const group = child.pid;
  if (group !== undefined) groups.add(group);
  const timer = setTimeout(() => {
    if (group !== undefined) signalGroup(group, 'SIGKILL');
  }, timeoutMs ?? timeoutMsMax);
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', print);
  child.once('error', ({ message }) => resolve({ status: undefined, how: message }));
  child.once('close', (status, signal) => {
    clearTimeout(timer);
    if (isInterrupted) return;
    if (group !== undefined) groups.delete(group);
    const how = signal === null ? `status ${status}` : `signal ${signal}`;
    resolve({ status: status ?? undefined, how });
  });
  return promise;
}

/** Runs a program without printing. */
export async function runQuietly(
  program: Omit<Program, 'print'>,
): Promise<Ended & { readonly output: string }> {
  let output = '';
  const ended = await runProgram({
    ...program,
    print: (text) => {
      output += text;
    },
  });
  return { ...ended, output };
}

/** Forwards an interrupt to every program, waits until they have ended, and ends this process as the signal would have. */
export function endWithPrograms(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // A second Ctrl-C does not wait.
      if (isInterrupted) return killAll(signal);
      isInterrupted = true;
      for (const group of groups) signalGroup(group, signal);
      setTimeout(() => killAll(signal), patienceMs);
      setInterval(() => {
        if (![...groups].some((group) => signalGroup(group, 0))) exitBy(signal);
      }, 50);
    });
  }
}

function killAll(signal: NodeJS.Signals): void {
  for (const group of groups) signalGroup(group, 'SIGKILL');
  exitBy(signal);
}

function exitBy(signal: NodeJS.Signals): never {
  process.exit(128 + constants.signals[signal]);
}

/** False: the group has ended. */
function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
