/**
 * The test files that vitest.config.ts runs when all others have ended, one on a core: they judge time that others would take from
 * them. Each has its reason. Every other file runs beside others: it waits for events, and its limits leave room for a busy machine.
 */
export const aloneFiles: Readonly<Record<string, string>> = {
  'bench/open-loop.test.ts': 'compares answers of 10 ms with bounds of 100 and 200 ms',
  'test/conformance/lanes.test.ts':
    'sends each recorded request three times on a connection, with two processes busy: others would wait for it',
  'test/history/history.test.ts':
    'counts the reads that the proxy served itself in 10 s, which fall when confirmations of volumes come late',
  'test/history/previous-version.test.ts':
    'counts the reads from the cache in some seconds, which fall where others take the time',
  'test/integration/admin-connections.test.ts':
    'asks as a kubelet does, for an answer within 1 s, beside thousands of requests',
  'test/integration/cache-memory.test.ts':
    'reads slowly by the clock, and counts the reads of a soak of a fixed time',
  'test/integration/lanes-lifecycle.test.ts':
    'closes what has rested for 1 s, and waits for answers that are read slowly by the clock',
  'test/integration/lanes-pipelines.test.ts':
    'writes and reads for some seconds with both cores, which others would wait for',
  'test/integration/logging.test.ts':
    'counts the lines of an outage, whose attempts have a deadline of 1 s',
  'test/integration/rails.test.ts':
    'holds reads to 400 ms while a cable is pulled, and compares throughputs',
  'test/integration/walk.test.ts':
    'counts the files that run a function during a request: on a busy machine the sweeps of others are among them',
};
