/**
 * The proxy against the volume server and against what is installed beside it: prints one JSON document, progress to
 * stderr. Argument: what to measure, as JSON (ServeOptions). `WEED_BIN` names the program of the real volume server.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVolume } from '../src/rdma/volume-files.ts';
import { type Load, loadOf, signedLoadOf, writeLoadOf } from './load.ts';
import { type Needles, writeNeedles } from './needles.ts';
import { pinOthers } from './processes.ts';
import { type Cell, measureGroup, warmUp } from './serve-cells.ts';
import { type Figure, figuresOf, type Measured } from './serve-figures.ts';
import { type LatencyAsked, measureIdle, measureLatencies } from './serve-latency.ts';
import {
  type Group,
  isReading,
  manyConnections,
  type PlanOptions,
  planOf,
  type SubjectName,
  smallBytes,
} from './serve-plan.ts';
import { Subjects } from './subjects.ts';

export interface ServeOptions extends PlanOptions {
  readonly seconds: number;
  readonly rounds: number;
  /** Only these servers of the plan; undefined: all. */
  readonly servers: readonly SubjectName[] | undefined;
}

export interface ServeDocument extends Measured {
  readonly seconds: number;
  readonly rounds: number;
  readonly isPinned: boolean;
  readonly generator: string;
  readonly figures: readonly Figure[];
}

const mebibyte = 1024 * 1024;
const idleSeconds = 10;
const writtenVolumeId = 4;
const writtenCount = 100;

const options = JSON.parse(process.argv[2] ?? '') as ServeOptions;
const weed = process.env['WEED_BIN'];
const isForFigures = options.sizes === undefined && options.connections === undefined;
const isPinned = pinOthers();
const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
// The process that started this one is gone.
process.once('disconnect', () => process.exit(1));
process.channel?.unref();

const plan = planOf(options)
  // The stand-in for the volume server cannot be written to.
  .filter(({ work }) => isReading(work) || weed !== undefined)
  .map((group) => ({ ...group, subjects: group.subjects.filter(isWanted) }))
  .filter(({ subjects }) => subjects.length > 0);
const names = new Set(plan.flatMap(({ subjects }) => subjects));
const volumeDir = scratch(tmpdir());
// A file system in memory reads otherwise than the volumes' own, so only what is no volume lies there.
const isMemoryOffered = process.env['TMPDIR'] === undefined && existsSync('/dev/shm');
const dir = scratch(isMemoryOffered ? '/dev/shm' : tmpdir());
const sizes = [...new Set([smallBytes, ...plan.map(({ bytes }) => bytes)])].sort((a, b) => a - b);
const needles = writeNeedles(
  volumeDir,
  sizes.map((bytes) => ({ bytes, count: countOf(bytes) })),
);
createVolume({ dir: volumeDir, volumeId: writtenVolumeId, collection: '' }).close();

try {
  await main();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function main(): Promise<void> {
  say(`starting ${[...names].join(', ')}`);
  const subjects = await Subjects.start({ dir, volumeDir, needles, names, weed, isPinned });
  try {
    const missing = [...names].filter((name) => subjects.get(name) === undefined);
    if (missing.length > 0) say(`not installed: ${missing.join(', ')}`);
    say('warming up');
    await warmUp(subjects, names, needles);
    const measured = { ...(await measureAll(subjects)), missing };
    const { seconds, rounds } = options;
    const generator = loadOf(needlesOf(smallBytes), dir).name;
    const how = { seconds, rounds, isPinned, generator };
    const document: ServeDocument = { ...how, ...measured, figures: figuresOf(measured) };
    console.log(JSON.stringify(document, undefined, 1));
  } finally {
    await subjects.stop();
  }
}

async function measureAll(subjects: Subjects): Promise<Omit<Measured, 'missing'>> {
  const cells: Cell[] = [];
  for (const [index, group] of plan.entries()) {
    const { work, bytes, connections } = group;
    const load = loadFor(group);
    say(`${index + 1}/${plan.length}: ${work}, ${bytes / 1024} KiB, ${connections} connections`);
    if (load === undefined) say('wrk is not installed: left out');
    else cells.push(...(await measureGroup(subjects, group, load, options)));
  }
  const asked = latenciesAsked(cells);
  if (asked.length > 0) say('latency at half of the saturating load');
  const seconds = Math.max(1, options.seconds);
  const open = { rounds: options.rounds, seconds };
  const latencies = await measureLatencies(subjects, asked, needlesOf(smallBytes), open);
  const strict = subjects.get('strict');
  if (strict === undefined || !isForFigures) return { cells, latencies, idle: [] };
  say('idle');
  return { cells, latencies, idle: [await measureIdle(strict, idleSeconds)] };
}

function loadFor({ work, bytes }: Group): Load | undefined {
  const read = needlesOf(bytes);
  if (work === 'read') return loadOf(read, dir);
  if (work === 'signed') return signedLoadOf(read, dir);
  const paths = Array.from(
    { length: writtenCount },
    (_, index) => `/${writtenVolumeId},${(index + 1).toString(16)}00000001`,
  );
  return writeLoadOf(work, { read, written: { bytes, paths } }, dir);
}

/** At half of what each did with many connections, and at half of what the volume server did. */
function latenciesAsked(cells: readonly Cell[]): readonly LatencyAsked[] {
  const rateOf = (name: SubjectName): number | undefined =>
    cells.find(
      ({ subject, work, bytes, connections }) =>
        subject === name &&
        work === 'read' &&
        bytes === smallBytes &&
        connections === manyConnections,
    )?.requestsPerSecond;
  const server = rateOf('volume-server');
  return (['strict', 'immutable', 'volume-server', 'nginx-cache'] as const).flatMap((subject) => {
    const own = rateOf(subject);
    if (own === undefined) return [];
    const asked: LatencyAsked[] = [
      { subject, requestsPerSecond: Math.round(own / 2), halfOf: 'its own' },
    ];
    if (server !== undefined && subject !== 'volume-server') {
      const requestsPerSecond = Math.round(server / 2);
      asked.push({ subject, requestsPerSecond, halfOf: "the volume server's" });
    }
    return asked;
  });
}

function isWanted(name: SubjectName): boolean {
  return options.servers?.includes(name) ?? true;
}

function needlesOf(bytes: number): Needles {
  return needles.find((each) => each.bytes === bytes) as Needles;
}

/** So that a server's answers do not stay in the CPU's caches, and all of them in its memory. */
function countOf(bytes: number): number {
  return Math.max(4, Math.min(1000, (8 * mebibyte) / bytes));
}

function scratch(parent: string): string {
  const folder = mkdtempSync(join(parent, 'seaweed-rdma-bench-'));
  folders.push(folder);
  return folder;
}

function say(step: string): void {
  process.stderr.write(`bench: ${step}\n`);
}
