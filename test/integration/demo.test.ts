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

test('the demo explains itself, and refuses what it does not understand before it starts anything', async () => {
  const explained = await runCommand(process.execPath, [script, '--help']);
  expect(explained).toMatchObject({ status: 0, stderr: '' });
  expect(explained.stdout).toContain('--reads N');
  for (const args of [
    ['--raeds', '5'],
    ['--reads', 'many'],
    ['--reads', '0'],
  ]) {
    const refused = await runCommand(process.execPath, [script, ...args]);
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^demo: .*--r/);
  }
});
