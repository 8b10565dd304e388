/** ucx_perftest's active-message latency: what UCX itself takes for one message of a size. It prints half a round trip. */
import { execFile, spawn } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

export interface Transport {
  readonly name: string;
  /** Value of UCX_TLS. */
  readonly tls: string;
}

export interface PerftestCell {
  readonly transport: string;
  readonly bytes: number;
  readonly roundTripUs: number;
}

const run = promisify(execFile);
const sizes = [4096, 65536, 1048576];
const connectTries = 10;
const connectPauseMs = 300;

/** Round trips in microseconds by transport and size; undefined where ucx_perftest is not installed. */
export async function measurePerftest(
  transports: readonly Transport[],
  environment: NodeJS.ProcessEnv,
): Promise<readonly PerftestCell[] | undefined> {
  const cells: PerftestCell[] = [];
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

async function oneWay(bytes: number, env: NodeJS.ProcessEnv): Promise<number | undefined> {
  const port = String(await freePort());
  const iterations = String(bytes > 100_000 ? 2_000 : 20_000);
  const args = ['-t', 'ucp_am_lat', '-s', String(bytes), '-n', iterations, '-w', '500', '-p', port];
  const server = spawn('ucx_perftest', args, { env, stdio: 'ignore' });
  const failed = new Promise((resolve) => server.once('error', () => resolve('missing')));
  // The server does not say when it listens (its output is buffered): the client is tried until it gets through.
  try {
    for (let i = 0; i < connectTries; i += 1) {
      if ((await Promise.race([failed, pause(connectPauseMs)])) === 'missing') return undefined;
      const answer = await run('ucx_perftest', ['127.0.0.1', ...args, '-f'], {
        env,
        timeout: 20_000,
      }).catch(() => undefined);
      if (answer !== undefined) return overallLatency(answer.stdout);
    }
    throw new Error(`ucx_perftest did not answer on port ${port}`);
  } finally {
    server.kill('SIGKILL');
  }
}

/** The last row: iterations, 50 %ile, average, overall latency, … */
function overallLatency(stdout: string): number {
  const row = stdout.trim().split('\n').at(-1)?.trim().split(/\s+/) ?? [];
  const median = Number(row.at(-7));
  if (!Number.isFinite(median)) throw new Error(`ucx_perftest said:\n${stdout}`);
  return median;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
