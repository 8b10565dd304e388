/**
 * The main job in half a minute: sample volumes, a volume server, a target, a proxy; real reads whose bytes are compared
 * with the volume files, then reads while a writer appends, overwrites and deletes. Ends with 0 when nothing differed.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBinding } from '../../src/rdma/binding.ts';
import { closeClient } from './client.ts';
import { demoOptions } from './options.ts';
import { sourceHeader, tableOf } from './readings.ts';
import { checked, compareBoth, readMany } from './reads.ts';
import { createSamples, type Sample, type Samples } from './samples.ts';
import { type Stack, startStack } from './stack.ts';
import { startVolumeServer, type VolumeServer } from './volume-server.ts';
import { readWhileWriting } from './writes.ts';

const options = demoOptions();
const say = (line: string): void => {
  if (!options.json) console.log(line);
};
const readyTimeoutMs = 60_000;

const workDir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-demo-'));
const dataDir = join(workDir, 'data');
mkdirSync(dataDir);
const running: (() => Promise<unknown>)[] = [];
try {
  process.exitCode = await demo();
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  closeClient();
  for (const stop of running.reverse()) await stop();
  rmSync(workDir, { recursive: true, force: true });
}

async function demo(): Promise<number> {
  const samples = createSamples(dataDir);
  const volumeServer = await startVolumeServer(dataDir, workDir);
  running.push(() => volumeServer.stop());
  const { hasUcx } = loadBinding();
  const stack = await startStack({
    dataDir,
    volumeServer: volumeServer.address,
    hasUcx,
    tls: options.tls,
    workDir,
  });
  running.push(() => stack.stop());
  const proxy = stack.proxy.bound['http'] as string;
  say(`volume server  http://${volumeServer.address}  ${volumeServer.name}`);
  if (stack.target !== undefined) say(`target         ${stack.target.bound['rdma']} (UCX)`);
  else say('target         none: built without UCX, the proxy reads the volume files itself');
  say(`proxy          http://${proxy}`);

  await servedHere(proxy, samples.needles[0] as Sample);
  const transport = hasUcx ? stack.transport() : 'inproc';
  say(`transport      ${transport}`);
  const differences = await compareBoth(proxy, volumeServer.address, samples.needles);
  say(`\n${samples.needles.length} needles through both: ${differences.length} differences`);

  const { readings, seconds } = await readMany(proxy, samples.needles, options.reads);
  const reads = readings.summary(seconds);
  differences.push(...readings.differences);
  say(
    `\n${options.reads} reads in ${seconds.toFixed(1)} s, every byte compared with the volume files`,
  );
  say(tableOf(reads));

  const written = await readWhileWriting({ proxy, volumeServer, samples });
  differences.push(...written.differences);
  say(
    `\n${written.writes} acknowledged writes (${written.kinds}) while ${written.reads} reads went on:`,
  );
  say(`${written.stale} of ${written.checks} reads after an acknowledgement were not fresh`);

  for (const line of differences.slice(0, 20)) console.error(line);
  const isBothWays = ['cache', 'rdma'].every(
    (source) => (reads.served.find((row) => row.source === source)?.reads ?? 0) > 0,
  );
  const isGood = differences.length === 0 && isBothWays;
  const result = { ok: isGood, transport, reads, written, differences };
  if (options.json) console.log(JSON.stringify(result));
  else say(`\n${differences.length} byte differences${isGood ? '' : ': FAILED'}`);
  if (options.keep) await keep(proxy, volumeServer, stack, samples);
  return isGood ? 0 : 1;
}

/** Until the proxy has learned what it must from the volume server. */
async function servedHere(proxy: string, { path, bytes }: Sample): Promise<void> {
  const until = Date.now() + readyTimeoutMs;
  let source = '';
  while (Date.now() < until) {
    const { answer } = await checked(proxy, { path }, { status: 200, body: bytes });
    source = sourceHeader(answer);
    if (/^(rdma|cache)/.test(source)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the proxy served nothing itself within ${readyTimeoutMs / 1000} s (${source})`);
}

async function keep(
  proxy: string,
  volumeServer: VolumeServer,
  stack: Stack,
  { needles }: Samples,
): Promise<void> {
  const [{ path }] = needles as readonly [Sample];
  console.log(`\nstays up until Ctrl-C; try:`);
  console.log(`  curl -i http://${proxy}${path}`);
  console.log(`  curl -i http://${volumeServer.address}${path}`);
  const admin = stack.proxy.bound['admin'];
  console.log(`  curl http://${admin}/health`);
  console.log(`  bin/seaweed-rdma top --admin ${admin}`);
  console.log(`  the dashboard: http://${admin}/`);
  await new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}
