/** Runs inside the virtual machine (guest.sh): over verbs, on processors that are emulated and some ten times slower. */
import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  root: join(import.meta.dirname, '..', '..'),
  test: {
    include: ['test/contract/needle-fetcher.test.ts', 'test/verbs/**/*.suite.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

export default config;
