/** Everything that the serve bench measures, running: our proxies in each way, and what is installed beside them. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type CpuSample, cpuOf } from '../src/cli/bench/process-cpu.ts';
import type { CacheStats } from '../src/proxy/cache/cache-status.ts';
import {
  type Comparator,
  type Nginx,
  startNginx,
  startVarnish,
  startVolumeServer,
} from './comparators.ts';
import { benchReadKey } from './load.ts';
import type { Needles } from './needles.ts';
import { familyOf } from './process-cpu.ts';
import {
  MeasuredProcess,
  MeasuredProxy,
  measuredCore,
  otherCores,
  type Servers,
} from './processes.ts';
import type { ProxySettings } from './proxy-process.ts';
import type { SubjectName } from './serve-plan.ts';

export interface Subject {
  readonly name: SubjectName;
  readonly port: number;
  readonly pid: number;
  /** Behind it, on the other core; undefined: nothing is. */
  readonly targetPid: number | undefined;
  readonly upstreamPid: number | undefined;
  /** undefined: it is no proxy of ours, or has no cache. */
  readonly cacheStats: (() => Promise<CacheStats>) | undefined;
}

export interface SubjectsOptions {
  /** A scratch folder in memory, where there is one. */
  readonly dir: string;
  readonly volumeDir: string;
  readonly needles: readonly Needles[];
  readonly names: ReadonlySet<SubjectName>;
  /** The program of the real volume server; undefined: ours stands in for it, and is no subject. */
  readonly weed: string | undefined;
  readonly isPinned: boolean;
}

const mebibyte = 1024 * 1024;
const cacheBytes = 256 * mebibyte;
const shm = 'tcp,posix,sysv,cma,self';
const tcp = 'tcp,self';

const proxies: Readonly<
  Partial<Record<SubjectName, Omit<ProxySettings, 'upstreamUrl' | 'target' | 'validationsMax'>>>
> = {
  strict: { tls: shm, consistency: 'strict', cacheBytes, lanes: 1 },
  immutable: { tls: shm, consistency: 'immutable', cacheBytes, lanes: 1 },
  'strict-two': { tls: shm, consistency: 'strict', cacheBytes, lanes: 2 },
  'immutable-two': { tls: shm, consistency: 'immutable', cacheBytes, lanes: 2 },
  'strict-loop': { tls: shm, consistency: 'strict', cacheBytes },
  'immutable-loop': { tls: shm, consistency: 'immutable', cacheBytes },
  'lane-off': { tls: shm, consistency: 'strict', cacheBytes, lane: false },
  signed: {
    ...{ tls: shm, consistency: 'strict', cacheBytes },
    ...{ readKey: benchReadKey, tokensMax: 10_000 },
  },
  'miss-shm': { tls: shm, consistency: 'strict', cacheBytes: 0 },
  'miss-tcp': { tls: tcp, consistency: 'strict', cacheBytes: 0 },
  passthrough: { tls: shm, consistency: 'strict', cacheBytes: 0, mode: 'off' },
};

export class Subjects {
  readonly #options: SubjectsOptions;
  readonly #subjects = new Map<SubjectName, Subject>();
  /** In the order of their start. */
  readonly #running: { stop(): Promise<void> }[] = [];
  readonly #targets = new Map<string, { readonly pid: number; readonly address: string }>();
  #upstream: { readonly port: number; readonly pid: number } = { port: 0, pid: 0 };

  private constructor(options: SubjectsOptions) {
    this.#options = options;
  }

  /** Those that are not installed are left out; rejects, with nothing left running, when one cannot be started. */
  static async start(options: SubjectsOptions): Promise<Subjects> {
    const subjects = new Subjects(options);
    try {
      await subjects.#startUpstream();
      await subjects.#startProxies();
      await subjects.#startCachesAndProxies();
      await subjects.#startMemoryServers();
      return subjects;
    } catch (error) {
      await subjects.stop();
      throw error;
    }
  }

  get(name: SubjectName): Subject | undefined {
    return this.#subjects.get(name);
  }

  /**
   * The core that is measured is its own meanwhile: the work of the others, which are not asked, stays on the other core,
   * and so does the volume server while it stands behind another server.
   */
  async onOwnCore<Figure>(subject: Subject, measure: () => Promise<Figure>): Promise<Figure> {
    this.#move(subject, measuredCore);
    try {
      return await measure();
    } finally {
      this.#move(subject, otherCores);
    }
  }

  async stop(): Promise<void> {
    for (const each of this.#running.toReversed()) await each.stop();
  }

  #move({ pid }: Subject, core: string): void {
    if (!this.#options.isPinned) return;
    for (const member of familyOf(pid)) {
      // Fails for one that has ended meanwhile.
      spawnSync('taskset', ['-acp', core, String(member)], { stdio: 'ignore' });
    }
  }

  async #startUpstream(): Promise<void> {
    const { weed, volumeDir } = this.#options;
    if (weed === undefined) {
      const origin = this.#keep(new MeasuredProcess('origin-process.ts', [volumeDir]));
      const { url } = (await origin.said()) as { readonly url: string };
      this.#upstream = { port: Number(new URL(url).port), pid: origin.pid };
      return;
    }
    const { program, port, master } = await startVolumeServer(weed, volumeDir, this.#dir('weed'));
    this.#keep(master);
    this.#keep(program);
    this.#upstream = { port, pid: program.pid };
    this.#add('volume-server', { port, pid: program.pid, upstreamPid: undefined });
  }

  async #startProxies(): Promise<void> {
    const upstreamUrl = `http://127.0.0.1:${this.#upstream.port}`;
    for (const [name, settings] of Object.entries(proxies)) {
      if (!this.#options.names.has(name as SubjectName)) continue;
      const target = await this.#targetFor(settings.tls, upstreamUrl);
      const started = { ...settings, upstreamUrl, target: target.address, validationsMax: 1 };
      const proxy = await MeasuredProxy.start(started, false);
      this.#keep(proxy.process);
      const cacheStats = settings.cacheBytes === 0 ? undefined : () => proxy.cacheStats();
      const at = { port: proxy.port, pid: proxy.process.pid, targetPid: target.pid, cacheStats };
      this.#add(name as SubjectName, at);
    }
  }

  async #targetFor(
    tls: string,
    upstreamUrl: string,
  ): Promise<{ readonly pid: number; readonly address: string }> {
    const running = this.#targets.get(tls);
    if (running !== undefined) return running;
    const args = [this.#options.volumeDir, tls, upstreamUrl];
    const target = this.#keep(new MeasuredProcess('target-process.ts', args));
    const { target: address } = (await target.said()) as Servers;
    const started = { pid: target.pid, address };
    this.#targets.set(tls, started);
    return started;
  }

  async #startCachesAndProxies(): Promise<void> {
    const { names } = this.#options;
    const { port: upstreamPort } = this.#upstream;
    if (names.has('nginx-cache') || names.has('nginx-proxy')) {
      const nginx = await startNginx(upstreamPort, this.#dir('nginx'));
      if (nginx !== undefined) this.#addNginx(nginx);
    }
    if (names.has('varnish')) {
      const varnish = await startVarnish(upstreamPort, this.#dir('varnish'));
      if (varnish !== undefined) this.#addComparator('varnish', varnish);
    }
  }

  #addNginx({ program, cachePort, proxyPort }: Nginx): void {
    this.#keep(program);
    this.#add('nginx-cache', { port: cachePort, pid: program.pid });
    this.#add('nginx-proxy', { port: proxyPort, pid: program.pid });
  }

  #addComparator(name: SubjectName, { program, port }: Comparator): void {
    this.#keep(program);
    this.#add(name, { port, pid: program.pid });
  }

  async #startMemoryServers(): Promise<void> {
    const needles = JSON.stringify(this.#options.needles);
    for (const [name, kind] of [
      ['node-http', 'http'],
      ['fastify', 'fastify'],
    ] as const) {
      if (!this.#options.names.has(name)) continue;
      const server = this.#keep(new MeasuredProcess('memory-server.ts', [kind, needles]));
      const { port } = (await server.said()) as { readonly port: number };
      this.#add(name, { port, pid: server.pid, upstreamPid: undefined });
    }
  }

  #dir(name: string): string {
    const dir = join(this.#options.dir, name);
    mkdirSync(dir);
    return dir;
  }

  #keep<Started extends { stop(): Promise<void> }>(started: Started): Started {
    this.#running.push(started);
    return started;
  }

  #add(name: SubjectName, at: Pick<Subject, 'port' | 'pid'> & Partial<Subject>): void {
    this.#subjects.set(name, {
      name,
      targetPid: undefined,
      upstreamPid: this.#upstream.pid,
      cacheStats: undefined,
      ...at,
    });
  }
}

export function cpuOfSubject(subject: Subject): CpuSample {
  return cpuOf(familyOf(subject.pid));
}
