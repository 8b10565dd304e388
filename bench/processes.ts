/** Our processes, seen from the one that measures: the proxies on a core of their own. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { CacheStats } from '../src/proxy/cache/cache-status.ts';
import type { Allocated } from './cache-heap-sampler.ts';
import type { ProxyQuestion, ProxySettings } from './proxy-process.ts';

export interface Servers {
  readonly upstreamUrl: string;
  readonly target: string;
}

/** The core of the measured process. */
export const measuredCore = '0';
/** The cores of the load generator, and of all that stands behind the measured process. */
export const otherCores: string = `1-${availableParallelism() - 1}`;
const servingTries = 200;
const servingPauseMs = 50;

/** Leaves a core to the proxies; false where that cannot be had. Before anything is started. */
export function pinOthers(): boolean {
  if (availableParallelism() < 2) return false;
  try {
    execFileSync('taskset', ['-c', measuredCore, 'true'], { stdio: 'ignore' });
    execFileSync('taskset', ['-acp', otherCores, String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export class MeasuredProcess {
  readonly #child: ChildProcess;

  constructor(script: string, args: readonly string[], core?: string) {
    const path = join(import.meta.dirname, script);
    const pinned = {
      execPath: 'taskset',
      execArgv: ['-c', core ?? '', process.execPath, ...process.execArgv],
    };
    this.#child = fork(path, args, core === undefined ? {} : pinned);
  }

  /** The next thing it says; rejects when it ends instead. */
  async said(): Promise<unknown> {
    const gone = new AbortController();
    const ended = once(this.#child, 'exit', { signal: gone.signal }).then(([code]) => {
      throw new Error(`a measured process ended: ${code}`);
    });
    ended.catch(() => undefined);
    try {
      const [message] = await Promise.race([once(this.#child, 'message'), ended]);
      return message;
    } finally {
      gone.abort();
    }
  }

  ask(question: ProxyQuestion): Promise<unknown> {
    const answer = this.said();
    this.#child.send(question);
    return answer;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}

export class MeasuredProxy {
  readonly port: number;
  readonly process: MeasuredProcess;

  private constructor(process: MeasuredProcess, port: number) {
    this.process = process;
    this.port = port;
  }

  /** Resolves when its reads are served from the target. */
  static async start(settings: ProxySettings, isPinned: boolean): Promise<MeasuredProxy> {
    const core = isPinned ? measuredCore : undefined;
    const child = new MeasuredProcess('proxy-process.ts', [JSON.stringify(settings)], core);
    const { port } = (await child.said()) as { readonly port: number };
    const proxy = new MeasuredProxy(child, port);
    for (let i = 0; i < servingTries; i += 1) {
      const { isServing } = (await child.ask('state')) as { readonly isServing: boolean };
      if (isServing) return proxy;
      await pause(servingPauseMs);
    }
    throw new Error('the proxy does not serve from the target');
  }

  async cacheStats(): Promise<CacheStats> {
    return ((await this.process.ask('state')) as { readonly cache: CacheStats }).cache;
  }

  /** From here on what it allocates is counted. */
  async sample(): Promise<void> {
    await this.process.ask('sample');
  }

  async allocated(): Promise<Allocated> {
    return (await this.process.ask('allocated')) as Allocated;
  }
}
