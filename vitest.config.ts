import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'bench/**/*.test.ts', 'test/**/*.test.ts'],
    // A crash of the addon ends one worker process, not the run.
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
