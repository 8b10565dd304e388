/** The serve part as a whole, on our own servers and with nothing of wrk, taskset or others on the PATH. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { loadBinding } from '../src/rdma/binding.ts';
import type { ServeOptions } from './serve-bench.ts';
import type { Cell } from './serve-cells.ts';

test.skipIf(!loadBinding().hasUcx)('it measures hits and misses, and leaves nothing', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'serve-bench-test-'));
  const options: ServeOptions = {
    ...{ isQuick: true, sizes: [1024], connections: [2], servers: ['strict', 'miss-shm'] },
    ...{ seconds: 0.2, rounds: 1 },
  };
  const { WEED_BIN: _, ...environment } = process.env;
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, 'serve-bench.ts'), JSON.stringify(options)],
    { env: { ...environment, PATH: dirname(process.execPath), TMPDIR: scratch } },
  );
  const { cells, generator, isPinned } = JSON.parse(stdout) as {
    readonly cells: readonly Cell[];
    readonly generator: string;
    readonly isPinned: boolean;
  };
  expect(stderr).toContain('1/2: read, 1 KiB, 2 connections');
  expect(generator).toBe('sockets of this process');
  expect(isPinned).toBe(false);
  expect(cells.map(({ subject }) => subject)).toEqual(['strict', 'miss-shm']);
  for (const cell of cells) {
    expect(cell.requestsPerSecond).toBeGreaterThan(10);
    expect(cell.serverCpuUs).toBeGreaterThan(1);
    expect(cell.cpuUs).toBeGreaterThan(cell.serverCpuUs);
    expect(cell.hasAskedUpstream).toBe(false);
  }
  expect(readdirSync(scratch)).toEqual([]);
  rmdirSync(scratch);
});
