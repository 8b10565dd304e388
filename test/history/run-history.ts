/**
 * The long run: a volume server that is written to and vacuumed, a target and a proxy as processes of their own, and every
 * read through the proxy judged.
 *
 *     node test/history/run-history.ts --seconds 600 --transport ucx
 *
 * Options: --seconds N (20), --transport ucx|tcp|inproc|verbs (ucx), --connections N (32), --volumes N (3), --needles N for each
 * volume (64), --writes N a second (150), --vacuum-every N ms (300), --seed N, --consistency strict|lease|immutable
 * (strict), --lease N ms (200), --lanes N threads of the proxy (0), --toml LINES for proxy.toml, which begin in [cache], --network good|bad|broken (good):
 * bad-network.ts, with --transport tcp. Each mode is held to what docs/configuration.md promises of it. Prints one JSON object. Exit code 1: a violation, or so little answered from the
 * fabric and the cache that nothing was proved. For the Node that package.json asks for.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BadNetwork, type Weather } from './bad-network.ts';
import type { JudgedRead } from './judged-read.ts';
import { type Stack, type StackOptions, startStack, type Transport } from './roles.ts';
import { startVolumeServer } from './volume-server.ts';
import { type Summary, Workload } from './workload.ts';

export interface HistoryOptions {
  readonly transport: Transport;
  readonly seconds: number;
  readonly connections: number;
  readonly volumes: number;
  readonly needlesPerVolume: number;
  readonly writesPerSecond: number;
  readonly vacuumEveryMs: number;
  readonly seed: number;
  readonly consistency: Consistency;
  /** With `lease`. */
  readonly leaseMs: number;
  /** The promise that reads are held to, where it is not the one of `consistency`. */
  readonly judgedAs?: Consistency;
  /** More lines for proxy.toml, the first of them keys of [cache]. */
  readonly proxyToml: string;
  readonly versions?: StackOptions['versions'];
  /** A run of fewer reads a second proves nothing. */
  readonly readsPerSecondMin: number;
  /** Likewise of writes; half as many go through the proxy, a tenth are deletes, a twentieth vacuums. */
  readonly writesPerSecondMin: number;
  /** Between two looks of the target at the volume server's volumes; absent: as fast as a machine of today. */
  readonly confirmEveryMs?: number;
  /** Between proxy and target; default: good. "broken" needs TLS: without it nothing promises that changed bytes are seen. */
  readonly network?: 'good' | 'bad' | 'broken';
  readonly isTlsOff?: boolean;
  /** Lines for [rdma] of proxy.toml. */
  readonly rdmaToml?: string;
  /** Native threads that answer what is published; default: none. */
  readonly lanes?: number | undefined;
}

type Consistency = 'strict' | 'lease' | 'immutable';

export interface HistoryReport extends Summary {
  readonly transport: Transport;
  readonly consistency: Consistency;
  readonly leaseLeaks: number;
  /** Held when all readers had gone, by others than cached needles. */
  readonly leasesAstray: number;
  readonly longestReadMs: number;
  /** What carries the session with the first target. */
  readonly carriedBy: string | undefined;
  /** Answered by each lane. */
  readonly laneRequests: readonly number[];
  /** Connections that met each kind of weather. */
  readonly met: Partial<Record<Weather, number>>;
  /** Why the run proves nothing, or disproves something; empty: it is good. */
  readonly problems: readonly string[];
}

/** Of the reads that showed content; over a network that is not good most pass. */
const servedShareMin = { good: 0.7, bad: 0.05, broken: 0.05 };
const cachedShareMin = { good: 0.4, bad: 0, broken: 0 };
const unavailableShareMax = 0.01;

export const historyDefaults: HistoryOptions = {
  transport: 'ucx',
  seconds: 20,
  connections: 32,
  volumes: 3,
  needlesPerVolume: 64,
  writesPerSecond: 150,
  vacuumEveryMs: 300,
  seed: 1,
  consistency: 'strict',
  leaseMs: 200,
  proxyToml: '',
  readsPerSecondMin: 100,
  writesPerSecondMin: 10,
};

export async function runHistory(options: HistoryOptions): Promise<HistoryReport> {
  const { transport, volumes, consistency, leaseMs, lanes = 0 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-history-'));
  const dir = join(folder, 'data');
  mkdirSync(dir);
  const volumeIds = Array.from({ length: volumes }, (_, index) => index + 1);
  const server = await startVolumeServer({ dirs: [dir], volumeIds });
  try {
    const servers = [{ url: server.url, dirs: [dir] }];
    const cache = `[cache]\nconsistency = "${consistency}"\nlease = "${leaseMs}ms"\n`;
    const proxyToml = cache + options.proxyToml;
    const { network: kind = 'good', seed } = options;
    let network: BadNetwork | undefined;
    const stack = await startStack({
      transport,
      folder,
      servers,
      proxyToml,
      rdmaToml: options.rdmaToml ?? '',
      lanes,
      isTlsOff: options.isTlsOff,
      confirmEveryMs: options.confirmEveryMs,
      versions: options.versions ?? {},
      onTheWay: async (target) => {
        if (kind === 'good') return target;
        network = await BadNetwork.before(target, seed, kind === 'broken');
        return network.address;
      },
    });
    try {
      const unseenMsMax = { strict: 0, lease: leaseMs, immutable: Infinity }[
        options.judgedAs ?? consistency
      ];
      const seconds = network === undefined ? options.seconds : Number.POSITIVE_INFINITY;
      const proxyPort = stack.port;
      let longestReadMs = 0;
      const onRead = ({ begunAt, endedAt }: JudgedRead): void => {
        longestReadMs = Math.max(longestReadMs, Math.round(endedAt - begunAt));
      };
      const workload = new Workload({
        ...options,
        seconds,
        unseenMsMax,
        server,
        proxyPort,
        onRead,
        served: lanes === 0 ? undefined : () => servedAll(stack, volumes),
      });
      await workload.prepare();
      const carriedBy = await carrierOf(stack);
      void network?.run(options.seconds).then(() => workload.end());
      const summary = await workload.run();
      await network?.end();
      const leaseLeaks = await stack.metric('seaweed_rdma_lease_leaks_total');
      const leasesAstray = await leasesAstrayOf(stack);
      const met = network?.met ?? {};
      const laneRequests = await laneRequestsOf(stack, lanes);
      const contentBySource = lanes === 0 ? summary.contentBySource : await sourcesOf(stack);
      const leases = { leaseLeaks, leasesAstray };
      const report = {
        transport,
        consistency,
        ...summary,
        contentBySource,
        laneRequests,
        ...leases,
        longestReadMs,
        carriedBy,
        met,
      };
      return { ...report, problems: problemsOf(report, options) };
    } finally {
      await network?.end();
      await stack.stop();
    }
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each volume is confirmed, and the volume server is known. */
async function servedAll({ adminUrl }: Stack, volumes: number): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const { targets } = (await (await fetch(`${adminUrl}/stats`)).json()) as {
      readonly targets: readonly { readonly volumesConfirmed: number; readonly server?: string }[];
    };
    const [first] = targets;
    if (first?.volumesConfirmed === volumes && first.server !== undefined) return;
    if (performance.now() > deadline) throw new Error(`not served: ${JSON.stringify(targets)}`);
    await pause(20);
  }
}

function laneRequestsOf(stack: Stack, lanes: number): Promise<readonly number[]> {
  const names = Array.from({ length: lanes }, (_, lane) => `lane="${lane}"`);
  return Promise.all(names.map((label) => stack.total('seaweed_rdma_lane_requests_total', label)));
}

/** All requests by outcome, as the proxy counts them: answers of absence among them. */
async function sourcesOf(stack: Stack): Promise<Readonly<Record<string, number>>> {
  const outcomes = ['cache', 'rdma', 'passthrough'];
  const counts = outcomes.map((outcome) =>
    stack.total('seaweed_rdma_requests_total', `outcome="${outcome}"`),
  );
  const numbers = await Promise.all(counts);
  return Object.fromEntries(outcomes.map((outcome, at) => [outcome, numbers[at] as number]));
}

async function carrierOf({ adminUrl }: Stack): Promise<string | undefined> {
  const { targets } = (await (await fetch(`${adminUrl}/stats`)).json()) as {
    readonly targets: readonly { readonly state: { readonly transport?: string } }[];
  };
  return targets[0]?.state.transport;
}

/** The last answers may still be on their way to nobody. */
async function leasesAstrayOf(stack: Stack): Promise<number> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const outstanding = await stack.metric('seaweed_rdma_leases_outstanding');
    const slabs = await stack.metric('seaweed_rdma_cache_slabs');
    const needles = await stack.metric('seaweed_rdma_cache_needles{form="stored"}');
    // The cache of an earlier version lies in the arena.
    const astray = outstanding + (Number.isNaN(slabs) ? 0 : slabs) - needles;
    if (astray === 0 || performance.now() > deadline) return astray;
    await pause(50);
  }
}

function problemsOf(
  report: Omit<HistoryReport, 'problems'>,
  { readsPerSecondMin, writesPerSecondMin, network = 'good' }: HistoryOptions,
): readonly string[] {
  const { reads, contentBySource, seconds } = report;
  const problems: string[] = [];
  const require = (isTrue: boolean, problem: string): void => {
    if (!isTrue) problems.push(problem);
  };
  const content = sum(contentBySource);
  const served = (contentBySource['rdma'] ?? 0) + (contentBySource['cache'] ?? 0);
  const unavailable = sum(report.unavailable);
  require(report.violationCount === 0, `${report.violationCount} violations`);
  require(served >=
    servedShareMin[network] * content, `only ${served} of ${content} reads served here`);
  const cached = contentBySource['cache'] ?? 0;
  require(cached >=
    cachedShareMin[network] * content, `only ${cached} of ${content} from the cache`);
  for (const [lane, requests] of report.laneRequests.entries()) {
    require(requests > 0, `lane ${lane} has answered nothing`);
  }
  require(unavailable <= unavailableShareMax * reads, `${unavailable} reads were not answered`);
  require(sum(report.failedChanges) === 0, `${sum(report.failedChanges)} changes failed`);
  require(reads > readsPerSecondMin * seconds, `only ${reads} reads in ${seconds} s`);
  const writesMin = writesPerSecondMin * seconds;
  require(report.writes > writesMin && report.deletes > writesMin / 10, 'too few changes');
  require(report.changesThroughProxy > writesMin / 2, 'too few changes through the proxy');
  require(report.vacuums > writesMin / 20, `only ${report.vacuums} vacuums`);
  require(report.leasesAstray === 0, `${report.leasesAstray} leases of nobody`);
  require(report.leaseLeaks === 0, `${report.leaseLeaks} leases leaked`);
  return problems;
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function optionsFrom(args: readonly string[]): HistoryOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      transport: text,
      seconds: text,
      connections: text,
      volumes: text,
      needles: text,
      writes: text,
      'vacuum-every': text,
      seed: text,
      consistency: text,
      lease: text,
      lanes: text,
      toml: text,
      network: text,
    },
  });
  const numberOf = (value: string | undefined, otherwise: number): number => {
    const number = Number(value ?? otherwise);
    if (!(number > 0)) throw new RangeError(`${value} is not a positive number`);
    return number;
  };
  const standard = historyDefaults;
  return {
    transport: choiceOf(values.transport, ['ucx', 'tcp', 'inproc', 'verbs']),
    consistency: choiceOf(values.consistency, ['strict', 'lease', 'immutable']),
    leaseMs: numberOf(values.lease, standard.leaseMs),
    seconds: numberOf(values.seconds, standard.seconds),
    connections: numberOf(values.connections, standard.connections),
    volumes: numberOf(values.volumes, standard.volumes),
    needlesPerVolume: numberOf(values.needles, standard.needlesPerVolume),
    writesPerSecond: numberOf(values.writes, standard.writesPerSecond),
    vacuumEveryMs: numberOf(values['vacuum-every'], standard.vacuumEveryMs),
    seed: numberOf(values.seed, Date.now() % 1_000_000),
    proxyToml: values.toml ?? '',
    lanes: values.lanes === undefined ? undefined : numberOf(values.lanes, 0),
    network: choiceOf(values.network, ['good', 'bad', 'broken']),
    readsPerSecondMin: standard.readsPerSecondMin,
    writesPerSecondMin: standard.writesPerSecondMin,
  };
}

/** The first one is the default. */
function choiceOf<T extends string>(value: string | undefined, choices: readonly [T, ...T[]]): T {
  if (value === undefined) return choices[0];
  const choice = choices.find((each) => each === value);
  if (choice === undefined) throw new RangeError(`"${value}" is none of ${choices.join(', ')}`);
  return choice;
}

if (import.meta.main) {
  const report = await runHistory(optionsFrom(process.argv.slice(2)));
  process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  process.exitCode = report.problems.length === 0 ? 0 : 1;
}
