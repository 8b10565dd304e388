/**
 * Up to which size copying a body beside its head costs less than a second piece in the write: prints one JSON document,
 * progress to stderr. The sender has a core of its own, as far as there are two. Argument: CopyOptions as JSON.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuOf, cpuUsBetween } from '../src/cli/bench/process-cpu.ts';
import { copiedBytesMax } from '../src/proxy/front/deliver.ts';
import { type CopyCell, type CopyRound, copyCellOf, copyLimitBytes } from './copy-limit.ts';
import type { CopySender } from './copy-sender-process.ts';
import { type Load, loadOf } from './load.ts';
import { MeasuredProcess, measuredCore, pinOthers } from './processes.ts';
import { inRounds } from './rounds.ts';
import { orOnceMore } from './serve-cells.ts';

export interface CopyOptions {
  /** A cell's length; wrk takes whole ones. */
  readonly seconds: number;
  readonly rounds: number;
  /** In bytes; up to what a connection is given in its first write. */
  readonly sizes?: readonly number[];
}

export interface CopyDocument extends Pick<CopyOptions, 'seconds' | 'rounds'> {
  readonly isPinned: boolean;
  readonly generator: string;
  readonly connections: number;
  readonly arenaBytes: number;
  /** The size that the proxy copies up to, and the one that these cells speak for. */
  readonly current: number;
  readonly limit: number;
  readonly cells: readonly CopyCell[];
}

const kibibyte = 1024;
const defaultSizes = [1, 4, 8, 16, 32, 64, 128, 256].map((each) => each * kibibyte);
const connections = 16;

const options = JSON.parse(process.argv[2] ?? '') as CopyOptions;
const sizes = [...(options.sizes ?? defaultSizes)].sort((a, b) => a - b);
const isPinned = pinOthers();
const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-bench-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
// The process that started this one is gone.
process.once('disconnect', () => process.exit(1));
process.channel?.unref();

const sender = new MeasuredProcess(
  'copy-sender-process.ts',
  [JSON.stringify(sizes)],
  isPinned ? measuredCore : undefined,
);
const { ports, needles, arenaBytes } = (await sender.said()) as CopySender;
const cells: CopyCell[] = [];
let generator = '';
for (const [index, each] of needles.entries()) {
  process.stderr.write(`bench: ${index + 1}/${needles.length}: ${each.bytes / kibibyte} KiB\n`);
  const load = loadOf(each, dir);
  generator = load.name;
  // The first round is dropped.
  const figures = await inRounds(['copied', 'whole'], options.rounds + 1, (way) =>
    orOnceMore(() => measureRound(load, ports[way])),
  );
  cells.push(
    copyCellOf(each.bytes, { copied: figures.copied.slice(1), whole: figures.whole.slice(1) }),
  );
}
await sender.stop();
const { seconds, rounds } = options;
const how = { seconds, rounds, isPinned, generator, connections, arenaBytes };
const limits = { current: copiedBytesMax, limit: copyLimitBytes(cells) };
const document: CopyDocument = { ...how, ...limits, cells };
console.log(JSON.stringify(document, undefined, 1));

async function measureRound(load: Load, port: number): Promise<CopyRound> {
  const before = cpuOf([sender.pid]);
  const run = await load.run(port, connections, options.seconds);
  const us = cpuUsBetween(before, cpuOf([sender.pid]));
  return {
    cpuUs: us / run.requests,
    answersPerSecond: run.requestsPerSecond,
    busy: us / (run.seconds * 1e6),
  };
}
