/** A real SeaweedFS in a directory of its own: master, and a volume server with one volume to write to. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../free-ports.ts';

/** The program; undefined: tests that need it are skipped. */
export const weed: string | undefined = process.env['WEED_BIN'];

export interface WeedServer {
  /** Of the volume server. */
  readonly port: number;
  readonly masterPort: number;
  close(): void;
}

/** @param publicUrl what the volume server tells the master; '': its own address */
export async function startWeed(publicUrl = ''): Promise<WeedServer> {
  const directory = mkdtempSync(join(tmpdir(), 'weed-server-'));
  const [master, masterGrpc, volumeGrpc, volume] = await freePorts(4);
  const server = spawn(
    weed as string,
    [
      'server',
      '-ip=127.0.0.1',
      '-ip.bind=127.0.0.1',
      `-dir=${directory}`,
      '-volume.max=3',
      `-master.port=${master}`,
      `-master.port.grpc=${masterGrpc}`,
      '-master.volumeSizeLimitMB=64',
      `-volume.port=${volume}`,
      `-volume.port.grpc=${volumeGrpc}`,
      `-volume.publicUrl=${publicUrl}`,
      '-volume.preStopSeconds=0',
    ],
    { stdio: 'ignore', cwd: directory, env: { ...process.env, HOME: directory } },
  );
  const close = (): void => {
    server.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await grown(`http://127.0.0.1:${master}/vol/grow?count=1`);
  } catch (error) {
    close();
    throw error;
  }
  return { port: volume as number, masterPort: master as number, close };
}

/** Until the master has a volume server to grow a volume on. */
async function grown(url: string): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (performance.now() < deadline) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the volume server did not come up');
}
