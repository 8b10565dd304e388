/**
 * The test files that vitest.config.ts runs one after the other, with nothing else beside them: what they judge is what other tests take from the
 * machine. Each has its reason. A file that is not named here runs beside others: it waits for events, and its limits leave room for a busy
 * machine.
 */
export const aloneFiles: Readonly<Record<string, string>> = {
  'bench/open-loop.test.ts': 'compares latencies of 10 ms with bounds of 100 and 200 ms',
};
