/** The walks of docs/architecture.md against a running proxy and target: every function that they name is called. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MeasuredProcess, MeasuredProxy, type Servers } from '../../bench/processes.ts';
import type { Walk } from '../../bench/walked-functions.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const page = readFileSync(join(import.meta.dirname, '../../docs/architecture.md'), 'utf8');
const tls = 'tcp,self';
const cookie = 7;
const running: MeasuredProcess[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let proxy: MeasuredProxy;

const pathOf = (needleId: bigint): string => `/${formatFid(3, needleId, cookie)}`;

async function ask(path: string): Promise<void> {
  const asked = request({ host: '127.0.0.1', port: proxy.port, path, agent });
  asked.end();
  const [answer] = await once(asked, 'response');
  answer.resume();
  await once(answer, 'end');
  expect(answer.statusCode).toBe(200);
}

/** Names of the section's steps: file and function. */
function stepsOf(heading: string): readonly (readonly [string, string])[] {
  const section = page.split(`### ${heading}\n`)[1]?.split(/^#/m)[0] ?? '';
  return [...section.matchAll(/^\d+\. `([^`]+)` `([^`]+)`:/gm)].map(([, file = '', name = '']) => [
    file,
    name,
  ]);
}

async function walkOf(path: string): Promise<Walk> {
  await proxy.process.ask('watch');
  await ask(path);
  await pause(5);
  return (await proxy.process.ask('walked')) as Walk;
}

describe.skipIf(!loadBinding().hasUcx)('a walk through the proxy (needs UCX)', () => {
  beforeAll(async () => {
    const volume = createVolume({ dir: scratch.folder, volumeId: 3 });
    for (let needleId = 1n; needleId <= 3n; needleId += 1n) {
      volume.append({ needleId, cookie, data: Buffer.alloc(4096), mime: 'image/x-test' });
    }
    volume.close();
    const servers = new MeasuredProcess('target-process.ts', [scratch.folder, tls]);
    running.push(servers);
    const at = (await servers.said()) as Servers;
    const settings = { consistency: 'strict', cacheBytes: 2 ** 24, validationsMax: 1 } as const;
    proxy = await MeasuredProxy.start({ ...at, tls, ...settings }, false);
    running.push(proxy.process);
    for (let round = 0; round < 10; round += 1) await ask(pathOf(1n));
  }, 30_000);

  afterAll(async () => {
    agent.destroy();
    for (const each of running.toReversed()) await each.stop();
  });

  test.each([
    ['a hit', ['A hit', 'A validation'], pathOf(1n), 25],
    ['a miss', ['A miss'], pathOf(2n), 33],
    ['a forwarded request', ['A forwarded request'], '/status', 24],
  ] as const)('of %s is as the page tells', async (_, headings, path, filesMax) => {
    const steps = headings.flatMap(stepsOf);
    expect(steps.length).toBeGreaterThan(7);
    const walk = await walkOf(path);
    expect(steps.filter(([file, name]) => walk[file]?.includes(name) !== true)).toEqual([]);
    // What runs at its own time: sweeps, looks at ports, samples.
    expect(Object.keys(walk).length).toBeLessThanOrEqual(filesMax + 4);
  });
});
