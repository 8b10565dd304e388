/** Measures GETs through filer and S3 gateway: with and without the proxy in turn, round after round, by the same load. */
import { type CpuSample, cpuOf, cpuUsBetween } from '../src/cli/bench/process-cpu.ts';
import { answeredBetween, readsOf, shareHere, totalsOf } from '../test/clients/answered.ts';
import { BareClient, requestsFor } from './load.ts';
import { inRounds, median, ratioOf, round, spreadOf } from './rounds.ts';

/** Whom a user asks. */
export type Door = 'filer' | 's3';
/** Whether the proxy stands before the volume server. */
export type Way = 'direct' | 'proxied';
export type ProcessName = 'volume server' | 'target' | 'proxy' | 'filer' | 'S3';

/** One cluster, with files in it. */
export interface Stand {
  readonly way: Way;
  readonly ports: Readonly<Record<Door, number>>;
  /** By size in bytes. */
  readonly paths: Readonly<Record<Door, ReadonlyMap<number, readonly string[]>>>;
  /** undefined: there is no such process. */
  readonly pids: Readonly<Record<ProcessName, number | undefined>>;
  /** Admin address of its proxy. */
  readonly admin: string | undefined;
}

export interface ClientsFigures {
  readonly requestsPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU of one request, in µs, by process. */
  readonly cpuUs: Readonly<Record<ProcessName | 'generator', number>>;
  /** CPU of all processes but the load generator. */
  readonly cpuUsInAll: number;
  /** Volume reads that the proxy answered itself, and those of its cache alone; 0 without one. */
  readonly shareHere: number;
  readonly shareCache: number;
  /** Volume reads of one request, as the proxy counted them; 0 without one. */
  readonly volumeReads: number;
}

export interface ClientsCell {
  readonly door: Door;
  readonly bytes: number;
  readonly connections: number;
  readonly direct: ClientsFigures;
  readonly proxied: ClientsFigures;
  /** Medians of the rounds' own ratios, proxied ÷ direct. */
  readonly ratio: { readonly requestsPerSecond: number; readonly cpuUsInAll: number };
}

export interface CellsOptions {
  readonly sizes: readonly number[];
  readonly connections: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly say: (step: string) => void;
}

/** Which request is next, by stand, door and size: a round goes on where the one before ended. */
const cursors = new Map<string, number>();

const processNames = ['volume server', 'target', 'proxy', 'filer', 'S3'] as const;
const warmUpTurns = 2;

export async function measureCells(
  stands: readonly Stand[],
  { sizes, connections, seconds, rounds, say }: CellsOptions,
): Promise<readonly ClientsCell[]> {
  const standOf = (way: Way): Stand => stands.find((each) => each.way === way) as Stand;
  const cells: ClientsCell[] = [];
  for (const door of ['filer', 's3'] as const) {
    for (const bytes of sizes) {
      for (const stand of stands) await warmUp(stand, door, bytes);
      for (const count of connections) {
        say(`${door}, ${bytes / 1024} KiB, ${count} connections`);
        const load = { door, bytes, connections: count, seconds };
        const figures = await inRounds(['direct', 'proxied'], rounds + 1, (way) =>
          measure(standOf(way), load),
        );
        cells.push(cellOf(load, figures.direct.slice(1), figures.proxied.slice(1)));
      }
    }
  }
  return cells;
}

interface LoadAsked {
  readonly door: Door;
  readonly bytes: number;
  readonly connections: number;
  readonly seconds: number;
}

async function warmUp(stand: Stand, door: Door, bytes: number): Promise<void> {
  const paths = stand.paths[door].get(bytes) as readonly string[];
  const client = new BareClient(stand.ports[door]);
  await client.connected();
  for (let turn = 0; turn < warmUpTurns; turn += 1) {
    for (const request of requestsFor({ bytes, paths })) await client.get(request, bytes);
  }
  client.close();
}

async function measure(stand: Stand, asked: LoadAsked): Promise<ClientsFigures> {
  const samplesBefore = samplesOf(stand);
  const ownBefore = process.cpuUsage();
  const totalsBefore = stand.admin === undefined ? undefined : await totalsOf(stand.admin);
  const { latenciesMs, tookSeconds } = await ask(stand, asked);
  const own = process.cpuUsage(ownBefore);
  const samplesAfter = samplesOf(stand);
  const answered =
    stand.admin === undefined || totalsBefore === undefined
      ? undefined
      : answeredBetween(totalsBefore, await totalsOf(stand.admin));
  const reads = answered === undefined ? 0 : readsOf(answered);
  const count = latenciesMs.length;
  const cpu = processNames.map((name) => {
    const us = cpuUsBetween(samplesBefore[name], samplesAfter[name]);
    return [name, us / count] as const;
  });
  const { p50, p99 } = spreadOf(latenciesMs);
  return {
    requestsPerSecond: count / tookSeconds,
    megabytesPerSecond: (count * asked.bytes) / tookSeconds / 1e6,
    ...{ p50Ms: p50, p99Ms: p99 },
    cpuUs: {
      ...(Object.fromEntries(cpu) as Record<ProcessName, number>),
      generator: (own.user + own.system) / count,
    },
    cpuUsInAll: cpu.reduce((sum, [, us]) => sum + us, 0),
    shareHere: answered === undefined || reads === 0 ? 0 : shareHere(answered),
    shareCache: answered === undefined || reads === 0 ? 0 : answered.cache / reads,
    volumeReads: reads / count,
  };
}

function samplesOf({ pids }: Stand): Record<ProcessName, CpuSample> {
  const samples = processNames.map((name) => {
    const pid = pids[name];
    return [name, cpuOf(pid === undefined ? [] : [pid])];
  });
  return Object.fromEntries(samples) as Record<ProcessName, CpuSample>;
}

async function ask(
  stand: Stand,
  { door, bytes, connections, seconds }: LoadAsked,
): Promise<{ readonly latenciesMs: readonly number[]; readonly tookSeconds: number }> {
  const paths = stand.paths[door].get(bytes) as readonly string[];
  const requests = requestsFor({ bytes, paths });
  const clients = Array.from({ length: connections }, () => new BareClient(stand.ports[door]));
  await Promise.all(clients.map((client) => client.connected()));
  const latenciesMs: number[] = [];
  const key = `${stand.way} ${door} ${bytes}`;
  let next = cursors.get(key) ?? 0;
  const startedAt = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      for (let now = startedAt; now - startedAt < seconds * 1e3; ) {
        await client.get(requests[next++ % requests.length] as Buffer, bytes);
        const end = performance.now();
        latenciesMs.push(end - now);
        now = end;
      }
    }),
  );
  const tookSeconds = (performance.now() - startedAt) / 1e3;
  cursors.set(key, next % requests.length);
  for (const client of clients) client.close();
  return { latenciesMs, tookSeconds };
}

function cellOf(
  { door, bytes, connections }: LoadAsked,
  direct: readonly ClientsFigures[],
  proxied: readonly ClientsFigures[],
): ClientsCell {
  const ratio = (figure: 'requestsPerSecond' | 'cpuUsInAll'): number =>
    round(
      ratioOf(
        proxied.map((each) => each[figure]),
        direct.map((each) => each[figure]),
      ),
    );
  return {
    ...{ door, bytes, connections, direct: medians(direct), proxied: medians(proxied) },
    ratio: {
      requestsPerSecond: ratio('requestsPerSecond'),
      cpuUsInAll: ratio('cpuUsInAll'),
    },
  };
}

function medians(rounds: readonly ClientsFigures[]): ClientsFigures {
  const of = (figure: (each: ClientsFigures) => number, digits: number): number =>
    round(median(rounds.map(figure)), digits);
  const cpuOfProcess = (name: ProcessName | 'generator'): number =>
    of((each) => each.cpuUs[name], 0);
  return {
    requestsPerSecond: of((each) => each.requestsPerSecond, 0),
    megabytesPerSecond: of((each) => each.megabytesPerSecond, 0),
    p50Ms: of((each) => each.p50Ms, 2),
    p99Ms: of((each) => each.p99Ms, 2),
    cpuUs: {
      'volume server': cpuOfProcess('volume server'),
      target: cpuOfProcess('target'),
      proxy: cpuOfProcess('proxy'),
      filer: cpuOfProcess('filer'),
      S3: cpuOfProcess('S3'),
      generator: cpuOfProcess('generator'),
    },
    cpuUsInAll: of((each) => each.cpuUsInAll, 0),
    shareHere: of((each) => each.shareHere, 3),
    shareCache: of((each) => each.shareCache, 3),
    volumeReads: of((each) => each.volumeReads, 2),
  };
}
