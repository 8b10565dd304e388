/** Cells → the figures that the proxy is held to, each with its bar. Pure. */
import { mixedPeriod } from './load.ts';
import { median, ratioOf, round } from './rounds.ts';
import type { Cell, Limit, Round } from './serve-cells.ts';
import type { Idle, LatencyCell } from './serve-latency.ts';
import {
  largeBytes,
  manyConnections,
  middleBytes,
  type SubjectName,
  smallBytes,
  usualConnections,
  type Work,
} from './serve-plan.ts';

export interface Measured {
  readonly cells: readonly Cell[];
  readonly latencies: readonly LatencyCell[];
  readonly idle: readonly Idle[];
  /** Not installed. */
  readonly missing: readonly SubjectName[];
}

export interface Figure {
  /** The subject; several figures share it. */
  readonly work: string;
  readonly name: string;
  /** undefined: what it needs is not installed, or was not asked for. */
  readonly value: number | undefined;
  /** The value of a proxy that validates nothing, where that says something. */
  readonly immutable: number | undefined;
  readonly sign: '≥' | '≤';
  readonly bar: number;
  readonly verdict: 'met' | 'not met' | 'not installed' | 'not measured';
  /** How it was compared, where not by requests a second of saturated servers. */
  readonly note: string;
}

interface Comparison {
  readonly value: number;
  readonly limitedBy: Limit;
}

/** More than these of the idle proxy would be seen in a monitor. */
const idleCpuPercentMax = 0.05;
const idleWakeUpsMax = 5;
/** Share of a core: from there on the load generator limits the latencies. */
export const askerBusyMax = 0.9;
/** `asker`: the load generator of a latency had no time left. */
const notes: Readonly<Record<Limit | 'asker', string>> = {
  itself: '',
  generator: 'generator-bound: by CPU',
  neighbours: 'its core was not left alone: by CPU',
  asker: 'generator-bound',
};

export function figuresOf(measured: Measured): readonly Figure[] {
  const table = new FigureTable(measured);
  for (const connections of [usualConnections, manyConnections]) {
    const at = { work: 'read', bytes: smallBytes, connections } as const;
    const work = `4 KiB hit, strict, ${connections} connections`;
    table.faster(work, at, 'volume-server', 3.5);
    table.faster(work, at, 'nginx-cache', 1.4);
    table.faster(work, at, 'varnish', 1.7);
  }
  const small = { work: 'read', bytes: smallBytes, connections: usualConnections } as const;
  const miss = '4 KiB miss over shm';
  table.fasterMiss(miss, small, 1.5);
  table.cheaperMiss(miss, small, 1);
  table.faster('64 KiB hit', { ...small, bytes: middleBytes }, 'nginx-cache', 1.2);
  table.byCpu('1 MiB hit', { ...small, bytes: largeBytes }, 'nginx-cache', 1);
  table.lanes(small);
  table.latency(measured.latencies);
  table.mixed(small);
  table.idle(measured.idle);
  table.passthrough(small);
  return table.figures;
}

interface At {
  readonly work: Work;
  readonly bytes: number;
  readonly connections: number;
}

class FigureTable {
  readonly figures: Figure[] = [];
  readonly #cells: readonly Cell[];
  readonly #missing: readonly SubjectName[];

  constructor({ cells, missing }: Measured) {
    this.#cells = cells;
    this.#missing = missing;
  }

  faster(work: string, at: At, than: SubjectName, bar: number): void {
    const compared = this.#compare(at, 'strict', than);
    const immutable = this.#compare(at, 'immutable', than)?.value;
    this.#add(
      { work, name: `÷ ${than}`, immutable, sign: '≥', bar },
      compared?.value,
      compared?.limitedBy,
    );
  }

  /** On the proxy's core alone: what the target takes is in the next figure. */
  fasterMiss(work: string, at: At, bar: number): void {
    const compared = this.#compare(at, 'miss-shm', 'volume-server', 'serverCpuUs');
    const named = { work, name: "proxy's core ÷ volume-server", sign: '≥', bar } as const;
    this.#add(named, compared?.value, compared?.limitedBy);
  }

  cheaperMiss(work: string, at: At, bar: number): void {
    const [miss, other] = [this.#cell(at, 'miss-shm'), this.#cell(at, 'volume-server')];
    const value = miss && other && ratioOf(valuesOf(miss, 'cpuUs'), valuesOf(other, 'cpuUs'));
    this.#add({ work, name: 'CPU, proxy + target ÷ volume-server', sign: '≤', bar }, value);
  }

  byCpu(work: string, at: At, than: SubjectName, bar: number): void {
    const value = this.#perCpu(at, 'strict', than);
    const immutable = this.#perCpu(at, 'immutable', than);
    const name = `MB/s per CPU second ÷ ${than}`;
    this.#add({ work, name, immutable, sign: '≥', bar }, value);
  }

  /** By CPU, of the target as well where it is asked. */
  lanes(small: At): void {
    const many = { ...small, connections: manyConnections };
    for (const [what, at, ours, theirs, bar] of [
      ['4 KiB, strict, 16 connections', small, 'strict', 'nginx-cache', 1.35],
      ['4 KiB, strict, 64 connections', many, 'strict', 'nginx-cache', 1.6],
      ['4 KiB, immutable, 64 connections', many, 'immutable', 'nginx-cache', 2.1],
      ['64 KiB, immutable', { ...small, bytes: middleBytes }, 'immutable', 'nginx-cache', 1.4],
      ['1 MiB, immutable', { ...small, bytes: largeBytes }, 'immutable', 'nginx-cache', 1.6],
      ['4 MiB, immutable', { ...small, bytes: 4 * largeBytes }, 'immutable', 'nginx-cache', 1.6],
      ['4 KiB, strict, 1 connection', { ...small, connections: 1 }, 'strict', 'strict-loop', 2],
      ['4 KiB, two lanes, immutable, 64', many, 'immutable-two', 'immutable', 0.91],
    ] as const) {
      const value = this.#perCpu(at, ours, theirs);
      const name = `requests per CPU second ÷ ${theirs}`;
      this.#add({ work: `hit in a lane: ${what}`, name, sign: '≥', bar }, value);
    }
  }

  latency(latencies: readonly LatencyCell[]): void {
    const find = (name: SubjectName, halfOf: LatencyCell['halfOf']): LatencyCell | undefined =>
      latencies.find((each) => each.subject === name && each.halfOf === halfOf);
    const server = find('volume-server', 'its own');
    for (const halfOf of ['its own', "the volume server's"] as const) {
      const strict = find('strict', halfOf);
      const name = `÷ volume-server, the proxy at half of ${halfOf}`;
      const work = 'p99 of a 4 KiB hit at half of the saturating load';
      const immutable = p99Ratio(find('immutable', halfOf), server);
      const isBound = [strict, server].some((each) => (each?.generatorBusy ?? 0) > askerBusyMax);
      const limitedBy = isBound ? 'asker' : 'itself';
      this.#add({ work, name, immutable, sign: '≤', bar: 1 }, p99Ratio(strict, server), limitedBy);
    }
  }

  /** Takes for the writes among them the cost of writes when nothing else is asked for. */
  mixed(read: At): void {
    const pure = this.#cell(read, 'strict');
    const writes = this.#cell({ ...read, work: 'write' }, 'strict');
    const mixed = this.#cell({ ...read, work: 'mixed' }, 'strict');
    const share = 1 / mixedPeriod;
    const writeUs = writes && median(valuesOf(writes, 'cpuUs'));
    const pureUs = pure && median(valuesOf(pure, 'cpuUs'));
    const value =
      mixed &&
      writeUs &&
      pureUs &&
      median(
        valuesOf(mixed, 'cpuUs').map((cpuUs) => pureUs / ((cpuUs - share * writeUs) / (1 - share))),
      );
    const work = '90/10 mix on shared connections';
    this.#add({ work, name: 'reads per CPU second ÷ pure reads', sign: '≥', bar: 0.8 }, value);
  }

  idle(all: readonly Idle[]): void {
    const strict = all.find(({ subject }) => subject === 'strict');
    const bars = [
      { name: '% of a core', value: strict?.cpuPercent, bar: idleCpuPercentMax },
      { name: 'wake-ups a second', value: strict?.wakeUpsPerSecond, bar: idleWakeUpsMax },
    ];
    for (const { name, value, bar } of bars) {
      this.#add({ work: 'idle', name, sign: '≤', bar }, value);
    }
  }

  passthrough(small: At): void {
    for (const [what, at] of [
      ['GET', small],
      ['PUT', { ...small, work: 'write' }],
    ] as const) {
      const perCpu = this.#perCpu(at, 'nginx-proxy', 'passthrough');
      const named = { work: `4 KiB passthrough, ${what}`, name: 'CPU ÷ nginx-proxy' } as const;
      this.#add({ ...named, sign: '≤', bar: 2 }, perCpu);
    }
    const large = { ...small, bytes: largeBytes };
    const compared = this.#compare(large, 'passthrough', 'nginx-proxy', 'serverCpuUs');
    const named = { work: '1 MiB passthrough, GET', name: 'MB/s ÷ nginx-proxy' } as const;
    this.#add({ ...named, sign: '≥', bar: 0.9 }, compared?.value, compared?.limitedBy);
  }

  #cell(at: At, subject: SubjectName): Cell | undefined {
    return this.#cells.find(
      (cell) =>
        cell.subject === subject &&
        cell.work === at.work &&
        cell.bytes === at.bytes &&
        cell.connections === at.connections,
    );
  }

  /** By requests a second only where nothing but the servers limits both. */
  #compare(
    at: At,
    ours: SubjectName,
    theirs: SubjectName,
    cpu: 'cpuUs' | 'serverCpuUs' = 'cpuUs',
  ): Comparison | undefined {
    const [our, their] = [this.#cell(at, ours), this.#cell(at, theirs)];
    if (our === undefined || their === undefined) return undefined;
    const limits = [our.limitedBy, their.limitedBy];
    if (limits.every((limit) => limit === 'itself')) {
      const [above, below] = [our, their].map((each) => valuesOf(each, 'requestsPerSecond'));
      return { value: ratioOf(above as number[], below as number[]), limitedBy: 'itself' };
    }
    const limitedBy = limits.includes('generator') ? 'generator' : 'neighbours';
    return { value: ratioOf(valuesOf(their, cpu), valuesOf(our, cpu)), limitedBy };
  }

  #perCpu(at: At, ours: SubjectName, theirs: SubjectName): number | undefined {
    const [our, their] = [this.#cell(at, ours), this.#cell(at, theirs)];
    return our && their && ratioOf(valuesOf(their, 'cpuUs'), valuesOf(our, 'cpuUs'));
  }

  /** A figure's name says whom it compares with. */
  #whyNot(name: string): 'not installed' | 'not measured' {
    return this.#missing.some((each) => name.includes(each)) ? 'not installed' : 'not measured';
  }

  #add(
    figure: Pick<Figure, 'work' | 'name' | 'sign' | 'bar'> & { immutable?: number | undefined },
    value: number | undefined,
    limitedBy: Limit | 'asker' = 'itself',
  ): void {
    const { sign, bar, immutable } = figure;
    const shown = value === undefined ? undefined : round(value);
    this.figures.push({
      ...figure,
      value: shown,
      immutable: immutable === undefined ? undefined : round(immutable),
      verdict: shown === undefined ? this.#whyNot(figure.name) : verdictOf(shown, sign, bar),
      note: notes[limitedBy],
    });
  }
}

function p99Ratio(ours?: LatencyCell, theirs?: LatencyCell): number | undefined {
  return ours && theirs && ratioOf(ours.p99UsByRound, theirs.p99UsByRound);
}

function verdictOf(value: number, sign: '≥' | '≤', bar: number): 'met' | 'not met' {
  return (sign === '≥' ? value >= bar : value <= bar) ? 'met' : 'not met';
}

function valuesOf(cell: Cell, figure: keyof Round): number[] {
  return cell.rounds.map((each) => each[figure]);
}
