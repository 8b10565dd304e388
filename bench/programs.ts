/** Programs that are not ours: they end with this process, whatever ends it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { familyOf } from './process-cpu.ts';

const readyTries = 300;
const readyPauseMs = 50;
const stopTimeoutMs = 3_000;
const logLinesMax = 20;

const running = new Set<Program>();
process.once('exit', () => {
  for (const program of running) program.kill();
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1));
}

export class Program {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #log: string[] = [];
  #ended: string | undefined;

  constructor(command: readonly string[], cwd: string) {
    const [file, ...args] = command as [string, ...string[]];
    this.name = file.split('/').at(-1) as string;
    const env = { ...process.env, HOME: cwd };
    this.#child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.once('error', (error) => {
      this.#ended = error.message;
    });
    this.#child.once('exit', (code, signal) => {
      this.#ended ??= `ended with ${code ?? signal}`;
    });
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.on('data', (text: Buffer) => {
        this.#log.push(text.toString());
        if (this.#log.length > logLinesMax) this.#log.shift();
      });
    }
    running.add(this);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects with what it said when it ends before, or does not get there in time. */
  async until(isReady: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < readyTries && this.#ended === undefined; i += 1) {
      if (await isReady().catch(() => false)) return;
      await pause(readyPauseMs);
    }
    throw new Error(`${this.name}: ${this.#ended ?? 'not ready in time'}\n${this.#log.join('')}`);
  }

  async stop(): Promise<void> {
    running.delete(this);
    if (this.#ended !== undefined) return;
    const family = familyOf(this.pid);
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const ended = await Promise.race([exited, pause(stopTimeoutMs, undefined, { ref: false })]);
    if (ended === undefined) killAll(family);
  }

  kill(): void {
    if (this.#ended === undefined && this.pid > 0) killAll(familyOf(this.pid));
  }
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

/** Whether the command is there, whatever it says to these arguments. */
export function isInstalled(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

export async function answers(url: string): Promise<boolean> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) });
  await answer.arrayBuffer();
  return answer.ok;
}

/** All at once, so that they differ. */
