/**
 * The run of faults: a target that is killed and started again, and one that is stopped and goes on, under reads and writes
 * through the proxy, every read judged.
 *
 *     node test/history/run-faults.ts --kills 1000 --stops 100 --transport tcp
 *
 * Options: --kills N (20), --stops N (5), --minutes N at most, --transport ucx|tcp (tcp), --hedge off|p99 (off),
 * --connections N (8), --volumes N (2), --needles N for each volume (64), --writes N a second (50), --stop-min N (300) and
 * --stop N (3000) ms, --seed N. Prints one JSON object.
 * Exit code 1: a request failed, a read was stale or took too long, the fabric was not back in time, or so little was
 * read that nothing was proved. For the Node that package.json asks for.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { steadyPort } from '../free-ports.ts';
import type { JudgedRead } from './judged-read.ts';
import { KeepAliveClient } from './keep-alive-client.ts';
import { seededRandom } from './needle-set.ts';
import { type RunningTarget, type Stack, startStack } from './roles.ts';
import { startVolumeServer } from './volume-server.ts';
import { type Summary, Workload } from './workload.ts';

export interface FaultOptions {
  readonly transport: 'ucx' | 'tcp';
  readonly hedge: 'off' | 'p99';
  readonly kills: number;
  readonly stops: number;
  readonly connections: number;
  readonly volumes: number;
  readonly needlesPerVolume: number;
  readonly writesPerSecond: number;
  /** No further fault after so long. */
  readonly minutesMax: number;
  readonly stopMsMin: number;
  readonly stopMsMax: number;
  readonly seed: number;
}

export interface FaultReport extends Summary {
  readonly transport: string;
  readonly hedge: string;
  readonly failedRequests: number;
  /** From the fault until the fabric serves again. */
  readonly readsInFaults: number;
  readonly longestReadMs: { readonly killed: number; readonly stopped: number };
  /** Of the volume server, asked directly. */
  readonly longestDirectMs: number;
  /** Since the target is ready again, or goes on. */
  readonly fabricAgainMs: { readonly killed: Spread; readonly stopped: Spread };
  /** With hedging: late reads by their fate, hedged ones by the server that won. */
  readonly hedged: Readonly<Record<string, number>>;
  readonly leaseLeaks: number;
  /** The run's answer; empty: it is good. */
  readonly problems: readonly string[];
}

interface Spread {
  readonly count: number;
  readonly median: number;
  readonly max: number;
}

type Fault = 'killed' | 'stopped';

export const faultDefaults: FaultOptions = {
  transport: 'tcp',
  hedge: 'off',
  kills: 20,
  stops: 5,
  connections: 8,
  volumes: 2,
  needlesPerVolume: 64,
  writesPerSecond: 50,
  minutesMax: Number.POSITIVE_INFINITY,
  stopMsMin: 300,
  stopMsMax: 3_000,
  seed: 1,
};

const rdmaTimeoutMs = 2_000;
/**
 * A read takes at most the deadline, or, hedged, the time until it is late and the sign of life is overdue. On a machine
 * with other work proxy and volume server take their time, too: each as long as the volume server at most took for a
 * read that was asked of it directly.
 */
const longestReadMsMax = { off: rdmaTimeoutMs, p99: 250 };
const fabricAgainMsMax = 5_000;
/** A target that is not back by then will not be. */
const patienceMs = 30_000;
const thinkMsMax = 20;
/** One holds up the volume server, which runs in this process. */
const vacuumEveryMs = 10_000;
const probeEveryMs = 15;

export async function runFaults(options: FaultOptions): Promise<FaultReport> {
  const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-faults-'));
  const dir = join(folder, 'data');
  mkdirSync(dir);
  const volumeIds = Array.from({ length: options.volumes }, (_, index) => index + 1);
  const server = await startVolumeServer({ dirs: [dir], volumeIds });
  try {
    const { transport, hedge } = options;
    const servers = [{ url: server.url, dirs: [dir] }];
    const rdmaToml = `timeout = "${rdmaTimeoutMs}ms"\nhedge = "${hedge}"\n`;
    const targetPort = await steadyPort();
    const stack = await startStack({ transport, folder, servers, rdmaToml, targetPort });
    try {
      const watch = new FaultWatch();
      const workload = new Workload({
        ...options,
        server,
        proxyPort: stack.port,
        seconds: Number.POSITIVE_INFINITY,
        vacuumEveryMs,
        unseenMsMax: 0,
        thinkMsMax,
        onRead: (read) => watch.saw(read),
      });
      await workload.prepare();
      const running = workload.run();
      const probing = watch.probe(server.port, options.needlesPerVolume);
      const end = await inflict(options, stack.targets[0] as RunningTarget, watch).catch(messageOf);
      workload.end();
      watch.end();
      await probing;
      const found = await report(options, await running, watch, stack);
      const codes = await stack.stop();
      const isEnded = codes.every((code) => code === 0);
      const atTheEnd = [
        ...(end === undefined ? [] : [end]),
        ...(isEnded ? [] : [`ended: ${codes}`]),
      ];
      return { ...found, problems: [...found.problems, ...atTheEnd] };
    } finally {
      await stack.stop();
    }
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Kills and stops in turn, each after the fabric has served for a moment. */
async function inflict(
  { kills, stops, minutesMax, stopMsMin, stopMsMax, seed }: FaultOptions,
  target: RunningTarget,
  watch: FaultWatch,
): Promise<void> {
  const random = seededRandom(seed);
  const stopEvery = stops === 0 ? Number.POSITIVE_INFINITY : (kills + stops) / stops;
  const until = performance.now() + minutesMax * 60_000;
  let stopped = 0;
  for (let i = 0; i < kills + stops && performance.now() < until; i += 1) {
    await pause(100 + 200 * random());
    if (i + 1 >= stopEvery * (stopped + 1)) {
      stopped += 1;
      watch.begin('stopped');
      target.signal('SIGSTOP');
      await pause(stopMsMin + (stopMsMax - stopMsMin) * random());
      target.signal('SIGCONT');
    } else {
      watch.begin('killed');
      await target.kill();
      await pause(500 * random());
      await target.start();
    }
    await watch.fabricAgain();
  }
}

/** Knows which reads a fault met, and when the fabric served again. */
class FaultWatch {
  readonly longestReadMs: Record<Fault, number> = { killed: 0, stopped: 0 };
  readonly fabricAgainMs: Record<Fault, number[]> = { killed: [], stopped: [] };
  readonly slowest: { ms: number; text: string } = { ms: 0, text: '' };
  readonly inflicted: Record<Fault, number> = { killed: 0, stopped: 0 };
  readsInFaults = 0;
  /** Of the volume server itself, asked all the time, as the proxy asks it. */
  longestDirectMs = 0;
  #isOver = false;
  #fault: Fault | undefined;
  #begunAt = 0;
  /** The target is there again since then. */
  #backAt = Number.POSITIVE_INFINITY;
  #again: (() => void) | undefined;

  begin(fault: Fault): void {
    this.inflicted[fault] += 1;
    this.#fault = fault;
    this.#begunAt = performance.now();
    this.#backAt = Number.POSITIVE_INFINITY;
  }

  /** Called when the target is back. Resolves when a read that began after that was answered by it. */
  async fabricAgain(): Promise<void> {
    this.#backAt = performance.now();
    const late = new AbortController();
    const again = new Promise<void>((resolve) => {
      this.#again = resolve;
    });
    const overdue = pause(patienceMs, undefined, { signal: late.signal }).then(() => {
      throw new Error(`no read came from the fabric within ${patienceMs} ms after the target`);
    });
    try {
      await Promise.race([again, overdue]);
    } finally {
      late.abort();
      overdue.catch(() => undefined);
    }
  }

  async probe(port: number, needles: number): Promise<void> {
    const client = new KeepAliveClient(port);
    for (let i = 0; !this.#isOver; i += 1) {
      const begunAt = performance.now();
      const needleId = ((i % needles) + 1).toString(16).padStart(2, '0');
      // Closed as idle where this process itself was held up for long: the proxy's own requests are the judged ones.
      await client
        .request({ method: 'GET', path: `/1,${needleId}00000001` })
        .catch(() => undefined);
      this.longestDirectMs = Math.max(this.longestDirectMs, performance.now() - begunAt);
      await pause(probeEveryMs);
    }
    client.close();
  }

  end(): void {
    this.#isOver = true;
  }

  saw({ begunAt, endedAt, source, reason, path }: JudgedRead): void {
    const fault = this.#fault;
    if (fault === undefined || endedAt < this.#begunAt) return;
    const tookMs = endedAt - begunAt;
    this.readsInFaults += 1;
    this.longestReadMs[fault] = Math.max(this.longestReadMs[fault], tookMs);
    if (tookMs > this.slowest.ms) {
      this.slowest.ms = tookMs;
      this.slowest.text = `${path}: ${Math.round(tookMs)} ms, ${source} ${reason}, ${fault}`;
    }
    if (begunAt < this.#backAt || (source !== 'rdma' && source !== 'cache')) return;
    this.fabricAgainMs[fault].push(endedAt - this.#backAt);
    this.#fault = undefined;
    this.#again?.();
  }
}

async function report(
  { transport, hedge }: FaultOptions,
  summary: Summary,
  watch: FaultWatch,
  stack: Stack,
): Promise<FaultReport> {
  const hedged: Record<string, number> = {};
  if (hedge !== 'off') {
    const text = await (await fetch(`${stack.adminUrl}/metrics`)).text();
    for (const [, winner = '', count] of text.matchAll(
      /^seaweed_rdma_(?:hedged|late)_reads_total\{.*(?:winner|hedge)="(\w+)".*\} (\d+)$/gm,
    )) {
      hedged[winner] = Number(count);
    }
  }
  const { longestReadMs, longestDirectMs, fabricAgainMs, readsInFaults } = watch;
  const failedRequests = sum(summary.unavailable) + sum(summary.failedChanges);
  const again = { killed: spread(fabricAgainMs.killed), stopped: spread(fabricAgainMs.stopped) };
  const leaseLeaks = await stack.metric('seaweed_rdma_lease_leaks_total');
  const longest = Math.max(longestReadMs.killed, longestReadMs.stopped);
  const slowestAgain = Math.max(again.killed.max, again.stopped.max);
  const problems: string[] = [];
  const require = (isTrue: boolean, problem: string): void => {
    if (!isTrue) problems.push(problem);
  };
  require(failedRequests === 0, `${failedRequests} requests failed`);
  require(summary.violationCount === 0, `${summary.violationCount} violations`);
  const longestMax = longestReadMsMax[hedge] + 2 * watch.longestDirectMs;
  require(longest <= longestMax, `a read took ${watch.slowest.text}, over ${longestMax} ms`);
  require(slowestAgain <= fabricAgainMsMax, `the fabric was away for ${slowestAgain} ms`);
  const { killed, stopped } = watch.inflicted;
  const isEach = again.killed.count === killed && again.stopped.count === stopped;
  require(isEach && killed + stopped > 0, 'not every fault was seen to end');
  require(readsInFaults > 20 * (killed + stopped), `only ${readsInFaults} reads during faults`);
  require(leaseLeaks === 0, `${leaseLeaks} leases leaked`);
  const figures = { failedRequests, readsInFaults, longestReadMs, longestDirectMs };
  return {
    transport,
    hedge,
    ...summary,
    ...figures,
    fabricAgainMs: again,
    hedged,
    leaseLeaks,
    problems,
  };
}

/** A run that ends before its time has figures all the same. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`;
}

function spread(times: readonly number[]): Spread {
  const sorted = times.toSorted((a, b) => a - b).map(Math.round);
  return { count: sorted.length, median: sorted[sorted.length >> 1] ?? 0, max: sorted.at(-1) ?? 0 };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function optionsFrom(args: readonly string[]): FaultOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: text,
      stops: text,
      transport: text,
      hedge: text,
      connections: text,
      volumes: text,
      needles: text,
      writes: text,
      minutes: text,
      'stop-min': text,
      stop: text,
      seed: text,
    },
  });
  const numberOf = (value: string | undefined, otherwise: number): number => {
    const number = Number(value ?? otherwise);
    if (!(number >= 0)) throw new RangeError(`${value} is no number`);
    return number;
  };
  const { transport = 'tcp', hedge = 'off' } = values;
  if (transport !== 'ucx' && transport !== 'tcp')
    throw new RangeError(`"${transport}": ucx or tcp`);
  if (hedge !== 'off' && hedge !== 'p99') throw new RangeError(`"${hedge}": off or p99`);
  const standard = faultDefaults;
  return {
    transport,
    hedge,
    kills: numberOf(values.kills, standard.kills),
    stops: numberOf(values.stops, standard.stops),
    connections: numberOf(values.connections, standard.connections),
    volumes: numberOf(values.volumes, standard.volumes),
    needlesPerVolume: numberOf(values.needles, standard.needlesPerVolume),
    writesPerSecond: numberOf(values.writes, standard.writesPerSecond),
    minutesMax: numberOf(values.minutes, standard.minutesMax),
    stopMsMin: numberOf(values['stop-min'], standard.stopMsMin),
    stopMsMax: numberOf(values.stop, standard.stopMsMax),
    seed: numberOf(values.seed, Date.now() % 1_000_000),
  };
}

if (import.meta.main) {
  const found = await runFaults(optionsFrom(process.argv.slice(2)));
  process.stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
  process.exitCode = found.problems.length === 0 ? 0 : 1;
}
