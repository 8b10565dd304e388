/**
 * `npm run bench`: what a fetch costs from JavaScript against a native loop that does the same READ and against ucx_perftest,
 * and what the needle map costs as it grows. Figures of one run stand beside each other; only their ratios mean anything.
 * `-- --json` prints one JSON document, `-- --seconds N` measures each cell that long (default 1).
 */
import { execFile } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { measurePerftest } from './bench/perftest.mjs';
import { bars, markdown } from './bench/report.mjs';

const root = join(import.meta.dirname, '..');
const buildFolder = join(root, 'build-bench');
const run = promisify(execFile);
const help = `usage: npm run bench [-- --seconds N] [--json]

  --seconds N   how long each cell is measured (default 1)
  --json        one JSON document instead of tables
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1' },
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

say('building the native loops');
await buildNative();
say('fetches from JavaScript and the native loop, of the same target');
const { cells, native } = await fetchCells();
say('ucx_perftest');
const perftest = await measurePerftest(transports, environment);
say('the needle map');
const needleMap = (await run(join(buildFolder, 'needle_map_bench'))).stdout.trim();

const result = {
  machine: `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} cores`,
  node: process.version,
  seconds,
  fetches: cells,
  native,
  perftest,
  needleMap: needleMap.split('\n'),
  bars: bars(cells, native),
};
process.stdout.write(values.json ? `${JSON.stringify(result, undefined, 1)}\n` : markdown(result));

function say(step) {
  process.stderr.write(`bench: ${step}\n`);
}

async function buildNative() {
  const options = ['-G', 'Ninja', '-DSEAWEED_ADDON=OFF'];
  await run('cmake', ['-S', root, '-B', buildFolder, ...options]);
  await run('ninja', ['-C', buildFolder, 'needle_map_bench', 'ucx_read_bench'], {
    maxBuffer: 1 << 24,
  });
}

/** The target is a process of its own; both sides sleep when idle. */
async function fetchCells() {
  const script = join(root, 'test', 'bench', 'fetch-bench.ts');
  const args = [script, String(seconds * 1000), '0', join(buildFolder, 'ucx_read_bench')];
  const { stdout } = await run(process.execPath, args, { env: environment, maxBuffer: 1 << 24 });
  return JSON.parse(stdout);
}
