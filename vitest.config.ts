import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { aloneFiles } from './test/alone.ts';

const alone = Object.keys(aloneFiles);
/** The tests wait for processes, sockets and deadlines more than they compute. */
const maxWorkers = Math.max(4, availableParallelism());

const config: ViteUserConfig = defineConfig({
  test: {
    // A crash of the addon ends one worker process, not the run.
    pool: 'forks',
    // These find what hangs; no test relies on them to judge how long something takes.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts'],
          maxWorkers,
          // A process of its own for each of the small files would take three times their CPU time.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'beside',
          include: ['bench/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: alone,
          maxWorkers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: alone,
          // Each takes about one core, and no core has more than one of them.
          maxWorkers: Math.min(2, availableParallelism()),
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});

export default config;
