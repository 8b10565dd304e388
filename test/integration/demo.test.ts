/** `npm run demo`, without its set-up: what a newcomer sees first. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from './program.ts';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'demo.mjs');

test('the demo ends well: no differences, nothing stale, reads from the cache', async () => {
  // An empty PATH of its own: a volume server that is installed would take the embedded one's place.
  const { status, stdout, stderr } = await runCommand(process.execPath, [script], {
    WEED_BIN: '',
    PATH: '/usr/bin:/bin',
  });
  expect(stderr + stdout).toContain('284 needles through both: 0 differences');
  expect(stdout).toMatch(/^cache +[1-9]\d* /m);
  expect(stdout).toMatch(/^rdma +[1-9]\d* /m);
  expect(stdout).toMatch(/^0 of \d+ reads after an acknowledgement were not fresh$/m);
  expect(status).toBe(0);
}, 60_000);
