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
import { runBench } from './bench-run.mjs';
import { cacheBars, cacheMarkdown } from './cache-report.mjs';
import { clientsMarkdown } from './clients-report.mjs';
import { copyMarkdown } from './copy-report.mjs';
import { fetchBars, fetchMarkdown } from './fetch-report.mjs';
import { help, readOptions, UsageError } from './options.mjs';
import { measurePerftest } from './perftest.mjs';
import { servePicture } from './serve-picture.mjs';
import { serveMarkdown } from './serve-report.mjs';

const root = join(import.meta.dirname, '..');
const buildFolder = join(root, 'build-bench');
const pictureConnections = 16;
const run = promisify(execFile);

const options = optionsOrExit();
const { seconds } = options;

const transports = [
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

const measures = {
  fetch: measureFetch,
  cache: measureCache,
  copy: measureCopy,
  serve: measureServe,
  clients: measureClients,
};
const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores, Node ${process.version}`;
const result = { machine, node: process.version, seconds };
for (const part of options.parts) result[part] = await measures[part]();
const tables = markdown();
process.stdout.write(options.json ? `${JSON.stringify(result, undefined, 1)}\n` : tables);
if (options.markdown !== undefined) writeFileSync(options.markdown, tables);
if (options.svg !== undefined) writePicture(options.svg);

function optionsOrExit() {
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

function markdown() {
  const { fetch, cache, copy, serve, clients } = result;
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

function writePicture(file) {
  const cells = result.serve?.cells ?? [];
  const picture = servePicture({ cells, machine }, pictureConnections);
  if (picture === undefined) say('no picture: no reads of 4 KiB at 16 connections were measured');
  else writeFileSync(file, picture);
}

function say(step) {
  process.stderr.write(`bench: ${step}\n`);
}

async function measureFetch() {
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

async function buildNative() {
  const options = ['-G', 'Ninja', '-DSEAWEED_ADDON=OFF'];
  await run('cmake', ['-S', root, '-B', buildFolder, ...options]);
  await run('ninja', ['-C', buildFolder, 'needle_map_bench', 'ucx_read_bench'], {
    maxBuffer: 1 << 24,
  });
}

/** The target is a process of its own; both sides sleep when idle. */
function fetchCells() {
  const script = join(import.meta.dirname, 'fetch-bench.ts');
  return jsonOf([script, String(seconds * 1000), '0', join(buildFolder, 'ucx_read_bench')]);
}

async function measureCache() {
  const script = (name) => join(import.meta.dirname, name);
  say('hits, of proxies that run as processes');
  const bench = await jsonOf([script('cache-bench.ts'), String(seconds)]);
  say('what a cached needle costs');
  const overhead = await jsonOf(['--expose-gc', script('cache-overhead-bench.ts')]);
  say('the hit ratio');
  const { rows: hitRatio } = await jsonOf([script('hit-ratio-bench.ts'), '--json']);
  return { bench, overhead, hitRatio, bars: cacheBars({ bench, overhead }) };
}

async function measureCopy() {
  const { rounds, sizes } = options;
  say('the two ways of sending a body');
  const script = join(import.meta.dirname, 'copy-size-bench.ts');
  return (await runBench(script, { seconds, rounds, sizes }, process.env)) ?? process.exit(1);
}

async function measureServe() {
  const { rounds, sizes, connections, servers, quick } = options;
  const asked = { seconds, rounds, sizes, connections, servers, isQuick: quick };
  const script = join(import.meta.dirname, 'serve-bench.ts');
  return (await runBench(script, asked, process.env)) ?? process.exit(1);
}

/** Without SeaweedFS there are no such clients: then this part is left out, unless it is the only one. */
async function measureClients() {
  if ((process.env.WEED_BIN ?? '') === '') {
    say('clients: WEED_BIN names no SeaweedFS program (weed)');
    return options.parts.length > 1 ? undefined : process.exit(1);
  }
  const { rounds, sizes, connections } = options;
  const script = join(import.meta.dirname, 'clients-bench.ts');
  const asked = { seconds, rounds, sizes, connections };
  return (await runBench(script, asked, process.env)) ?? process.exit(1);
}

async function jsonOf(args) {
  const { stdout } = await run(process.execPath, args, { env: environment, maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
}
