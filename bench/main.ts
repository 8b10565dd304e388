/**
 * `npm run bench`: what a fetch costs from JavaScript against a native loop that does the same READ and against ucx_perftest,
 * what the needle map costs as it grows, what the cache saves and costs, up to which size a body is copied, the proxy
 * against the volume server, nginx and Varnish, and what clients of a filer and an S3 gateway see. Figures of one run
 * stand beside each other; only their ratios mean anything.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runBench } from './bench-run.ts';
import type { CacheDocument } from './cache-bench.ts';
import type { CacheOverhead } from './cache-overhead-bench.ts';
import { type CacheFigures, cacheBars, cacheMarkdown } from './cache-report.ts';
import type { ClientsDocument } from './clients-bench.ts';
import { clientsMarkdown } from './clients-report.ts';
import { copyMarkdown } from './copy-report.ts';
import type { CopyDocument } from './copy-size-bench.ts';
import type { FetchDocument } from './fetch-bench.ts';
import { type FetchFigures, fetchBars, fetchMarkdown } from './fetch-report.ts';
import type { HitRatio } from './hit-ratio-bench.ts';
import { type BenchOptions, help, type Part, readOptions, UsageError } from './options.ts';
import { measurePerftest, type Transport } from './perftest.ts';
import type { ServeDocument } from './serve-bench.ts';
import { servePicture } from './serve-picture.ts';
import { serveMarkdown } from './serve-report.ts';

const root = join(import.meta.dirname, '..');
const buildFolder = join(root, 'build-bench');
const pictureConnections = 16;
const run = promisify(execFile);

const options = optionsOrExit();
const { seconds } = options;

const transports: readonly Transport[] = [
  { name: 'shm', tls: 'tcp,posix,sysv,cma,self' },
  { name: 'tcp', tls: 'tcp,self' },
];
const environment = {
  ...process.env,
  UCX_NET_DEVICES: 'lo',
  UCX_MM_ERROR_HANDLING: 'y',
  UCX_CMA_MEMORY_INVALIDATE: 'y',
  UCX_TCP_PUT_ENABLE: 'n',
  UCX_WARN_UNUSED_ENV_VARS: 'n',
};

/** undefined: left out. */
interface Figures {
  readonly fetch: FetchFigures;
  readonly cache: CacheFigures;
  readonly copy: CopyDocument;
  readonly serve: ServeDocument;
  readonly clients: ClientsDocument | undefined;
}

const measures: { readonly [Name in Part]: () => Promise<Figures[Name]> } = {
  fetch: measureFetch,
  cache: measureCache,
  copy: measureCopy,
  serve: measureServe,
  clients: measureClients,
};
const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, Node ${process.version}`;
const figures: Partial<Figures> = {};
for (const part of options.parts) Object.assign(figures, { [part]: await measures[part]() });
const tables = markdown();
const result = { machine, node: process.version, seconds, ...figures };
process.stdout.write(options.json ? `${JSON.stringify(result, undefined, 1)}\n` : tables);
if (options.markdown !== undefined) writeFileSync(options.markdown, tables);
if (options.svg !== undefined) writePicture(options.svg);

function optionsOrExit(): BenchOptions {
  try {
    const read = readOptions(process.argv.slice(2));
    if (!read.help) return read;
    process.stdout.write(help);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${help}`);
    process.exit(2);
  }
}

function markdown(): string {
  const { fetch, cache, copy, serve, clients } = figures;
  return [
    `${machine}, ${seconds} s a cell. Compare within this run only.`,
    ...(fetch === undefined ? [] : [fetchMarkdown(fetch)]),
    ...(cache === undefined ? [] : [cacheMarkdown(cache)]),
    ...(copy === undefined ? [] : [copyMarkdown(copy)]),
    ...(serve === undefined ? [] : [serveMarkdown(serve, options.quick)]),
    ...(clients === undefined ? [] : [clientsMarkdown(clients)]),
    '',
  ].join('\n\n');
}

function writePicture(file: string): void {
  const cells = figures.serve?.cells ?? [];
  const picture = servePicture({ cells, machine }, pictureConnections);
  if (picture === undefined) say('no picture: no reads of 4 KiB at 16 connections were measured');
  else writeFileSync(file, picture);
}

function say(step: string): void {
  process.stderr.write(`bench: ${step}\n`);
}

async function measureFetch(): Promise<FetchFigures> {
  say('building the native loops');
  await buildNative();
  say('fetches from JavaScript and the native loop, of the same target');
  const { cells, native } = await fetchCells();
  say('ucx_perftest');
  const perftest = await measurePerftest(transports, environment);
  say('the needle map');
  const needleMap = (await run(join(buildFolder, 'needle_map_bench'))).stdout.trim().split('\n');
  return { cells, native, perftest, needleMap, bars: fetchBars(cells, native) };
}

async function buildNative(): Promise<void> {
  const options = ['-G', 'Ninja', '-DSEAWEED_ADDON=OFF'];
  await run('cmake', ['-S', root, '-B', buildFolder, ...options]);
  await run('ninja', ['-C', buildFolder, 'needle_map_bench', 'read_bench'], {
    maxBuffer: 1 << 24,
  });
}

/** The target is a process of its own; both sides sleep when idle. */
function fetchCells(): Promise<FetchDocument> {
  const program = programOf('fetch-bench.ts');
  return jsonOf([program, String(seconds * 1000), '0', join(buildFolder, 'read_bench')]);
}

async function measureCache(): Promise<CacheFigures> {
  say('hits, of proxies that run as processes');
  const bench = await jsonOf<CacheDocument>([programOf('cache-bench.ts'), String(seconds)]);
  say('what a cached needle costs');
  const overhead = await jsonOf<CacheOverhead>([
    '--expose-gc',
    programOf('cache-overhead-bench.ts'),
  ]);
  say('the hit ratio');
  const ratios = [programOf('hit-ratio-bench.ts'), '--json'];
  const { rows: hitRatio } = await jsonOf<{ readonly rows: readonly HitRatio[] }>(ratios);
  return { bench, overhead, hitRatio, bars: cacheBars({ bench, overhead }) };
}

async function measureCopy(): Promise<CopyDocument> {
  const { rounds, sizes } = options;
  say('the two ways of sending a body');
  const asked = { seconds, rounds, sizes };
  return (await runBench(programOf('copy-size-bench.ts'), asked)) ?? process.exit(1);
}

async function measureServe(): Promise<ServeDocument> {
  const { rounds, sizes, connections, servers, quick } = options;
  const asked = { seconds, rounds, sizes, connections, servers, isQuick: quick };
  return (await runBench(programOf('serve-bench.ts'), asked)) ?? process.exit(1);
}

/** Without SeaweedFS there are no such clients: then this part is left out, unless it is the only one. */
async function measureClients(): Promise<ClientsDocument | undefined> {
  if ((process.env['WEED_BIN'] ?? '') === '') {
    say('clients: WEED_BIN names no SeaweedFS program (weed)');
    return options.parts.length > 1 ? undefined : process.exit(1);
  }
  const { rounds, sizes, connections } = options;
  const asked = { seconds, rounds, sizes, connections };
  return (await runBench(programOf('clients-bench.ts'), asked)) ?? process.exit(1);
}

function programOf(name: string): string {
  return join(import.meta.dirname, name);
}

async function jsonOf<Document>(args: readonly string[]): Promise<Document> {
  const { stdout } = await run(process.execPath, args, { env: environment, maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
}
