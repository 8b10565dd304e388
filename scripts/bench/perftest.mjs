/** ucx_perftest's active-message latency: what UCX itself takes for one message of a size. It prints half a round trip. */
import { execFile, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sizes = [4096, 65536, 1048576];

/** Round trips in microseconds by transport and size; undefined where ucx_perftest is not installed. */
export async function measurePerftest(transports, environment) {
  const cells = [];
  for (const { name, tls } of transports) {
    for (const bytes of sizes) {
      const env = { ...environment, UCX_TLS: tls };
      const oneWayUs = await oneWay(bytes, env);
      if (oneWayUs === undefined) return undefined;
      cells.push({ transport: name, bytes, roundTripUs: Math.round(oneWayUs * 200) / 100 });
    }
  }
  return cells;
}

async function oneWay(bytes, env) {
  const port = String(await freePort());
  const iterations = String(bytes > 100_000 ? 2_000 : 20_000);
  const args = ['-t', 'ucp_am_lat', '-s', String(bytes), '-n', iterations, '-w', '500', '-p', port];
  const server = spawn('ucx_perftest', args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const started = new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.stdout.once('data', () => resolve(true));
  });
  if (!(await started)) return undefined;
  try {
    const { stdout } = await run('ucx_perftest', ['127.0.0.1', ...args, '-f'], {
      env,
      timeout: 30_000,
    });
    return overallLatency(stdout);
  } finally {
    server.kill();
  }
}

/** The last row: iterations, 50 %ile, average, overall latency, … */
function overallLatency(stdout) {
  const row = stdout.trim().split('\n').at(-1)?.trim().split(/\s+/) ?? [];
  const median = Number(row.at(-7));
  if (!Number.isFinite(median)) throw new Error(`ucx_perftest said:\n${stdout}`);
  return median;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
