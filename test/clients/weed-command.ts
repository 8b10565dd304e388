/** One run of a SeaweedFS command that ends by itself. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Cluster } from './cluster.ts';

const timeoutMs = 90_000;

/** Its standard output. Rejects with what it said when it fails. */
export async function runWeed(
  cluster: Cluster,
  args: readonly string[],
  input = '',
): Promise<Buffer> {
  const child = spawn(cluster.weed, args, {
    cwd: cluster.folder,
    env: { ...process.env, HOME: cluster.folder },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // It may end before it has read everything.
  child.stdin.on('error', () => undefined).end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  const output = Buffer.concat(stdout);
  if (code === 0) return output;
  const said = `${output.subarray(0, 2_000)}\n${Buffer.concat(stderr).subarray(0, 2_000)}`;
  throw new Error(`weed ${args.join(' ')}: ended with ${code ?? signal}\n${said}`);
}
