/** Runs a bench in a process of its own, which ends what it started when this one ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

/** undefined: something that is needed could not be started, or failed; it has said what. */
export async function runBench<Document>(
  script: string,
  options: object,
): Promise<Document | undefined> {
  const child = spawn(process.execPath, [script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const chunks: Buffer[] = [];
  (child.stdout as Readable).on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) return undefined;
  return JSON.parse(Buffer.concat(chunks).toString());
}
