/**
 * `npm run bench`: what a fetch costs from JavaScript against a native loop that does the same READ and against ucx_perftest,
 * what the needle map costs as it grows, and what the cache saves and costs. Figures of one run stand beside each other;
 * only their ratios mean anything.
 */
import { execFile } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { cacheBars, cacheMarkdown } from './bench/cache-report.mjs';
import { fetchBars, fetchMarkdown } from './bench/fetch-report.mjs';
import { measurePerftest } from './bench/perftest.mjs';

const root = join(import.meta.dirname, '..');
const buildFolder = join(root, 'build-bench');
const run = promisify(execFile);
const parts = ['fetch', 'cache'];
const help = `usage: npm run bench [-- --seconds N] [--only PART] [--json]

  --seconds N   how long each cell is measured (default 1)
  --only PART   fetch: a fetch and the needle map; cache: hits, their cost and the hit ratio (default both)
  --json        one JSON document instead of tables
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(help);
  process.exit(0);
}
const seconds = Number(values.seconds);
if (!(seconds > 0 && seconds <= 60)) {
  process.stderr.write(`--seconds takes a number over 0, up to 60\n\n${help}`);
  process.exit(2);
}

if (values.only !== undefined && !parts.includes(values.only)) {
  process.stderr.write(`--only takes ${parts.join(' or ')}\n\n${help}`);
  process.exit(2);
}

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

const isAsked = (part) => values.only === undefined || values.only === part;
const fetch = isAsked('fetch') ? await measureFetch() : undefined;
const cache = isAsked('cache') ? await measureCache() : undefined;
const machine = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores`;
const result = { machine, node: process.version, seconds, fetch, cache };
process.stdout.write(values.json ? `${JSON.stringify(result, undefined, 1)}\n` : markdown());

function markdown() {
  const head = `${machine}, Node ${process.version}, ${seconds} s a cell. Compare within this run only.`;
  return [
    head,
    ...(fetch === undefined ? [] : [fetchMarkdown(fetch)]),
    ...(cache === undefined ? [] : [cacheMarkdown(cache)]),
  ].join('\n\n');
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
  const script = join(root, 'test', 'bench', 'fetch-bench.ts');
  return jsonOf([script, String(seconds * 1000), '0', join(buildFolder, 'ucx_read_bench')]);
}

async function measureCache() {
  const script = (name) => join(root, 'test', 'bench', name);
  say('hits, of proxies that run as processes');
  const bench = await jsonOf([script('cache-bench.ts'), String(seconds)]);
  say('what a cached needle costs');
  const overhead = await jsonOf(['--expose-gc', script('cache-overhead-bench.ts')]);
  say('the hit ratio');
  const { rows: hitRatio } = await jsonOf([script('hit-ratio-bench.ts'), '--json']);
  return { bench, overhead, hitRatio, bars: cacheBars({ bench, overhead }) };
}

async function jsonOf(args) {
  const { stdout } = await run(process.execPath, args, { env: environment, maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
}
