/** `npm run test:clients`: what runs real SeaweedFS clients, which `npm test` runs as a suite of its own. */
import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  root: join(import.meta.dirname, '..', '..'),
  test: {
    include: ['test/clients/**/*.suite.ts'],
    pool: 'forks',
    // They would measure each other.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

export default config;
