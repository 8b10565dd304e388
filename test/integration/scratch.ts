/** A folder for one test file, gone afterwards. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

export interface Scratch {
  readonly folder: string;
  /** Returns the path. */
  write(name: string, content: string | Uint8Array, mode?: number): string;
}

export function scratchFolder(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-test-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    write(name, content, mode = 0o600) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content, { mode });
      return path;
    },
  };
}
