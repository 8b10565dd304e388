/** `bench` over several paths: the real program against a volume server, a proxy and a target. */
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { medianRatio, type PathFigures } from '../../src/cli/bench/comparison-report.ts';
import { closedLoop, openLoop } from '../../src/cli/bench/loops.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { type AdminStage, fid, fillVolume, startStage } from './admin-stage.ts';
import { runProgram, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const dir = join(scratch.folder, 'volumes');
let stage: AdminStage;

beforeAll(async () => {
  mkdirSync(dir);
  fillVolume(dir, 20, 6000);
  stage = await startStage(dir);
});

const few = ['--iterations', '60', '--rounds', '3', '--size', '4KiB'];

describe('a comparison', () => {
  test('over HTTP reads what both paths give alike, and says how fast', async () => {
    const args = ['bench', fid(1n), fid(2n), '--http', stage.http, '--proxy', stage.http, ...few];
    const { status, stdout } = await runProgram([...args, '--cpu-of', `${process.pid}`, '--json']);
    expect(status).toBe(0);
    const { paths, bytes, rounds } = JSON.parse(stdout);
    expect({ bytes, rounds }).toEqual({ bytes: 4096, rounds: 3 });
    expect(paths.map(({ name }: { name: string }) => name)).toEqual(['http', 'proxy']);
    for (const { figures } of paths) {
      expect(figures).toMatchObject({ reads: 60, failures: {} });
      expect(figures.rounds).toHaveLength(3);
      expect(figures.bytesPerSecond / figures.readsPerSecond).toBeCloseTo(4096);
      const { p50, p90, p99, p999, max } = figures.latencyUs;
      expect([p50, p90, p99, p999, max]).toEqual(
        [p50, p90, p99, p999, max].toSorted((a, b) => a - b),
      );
      expect(figures.cpuUsPerRead).toBeGreaterThan(0);
      expect(figures.serverCpuUsPerRead).toBeGreaterThan(0);
    }
  });

  test('as a table and in Markdown has a row for each path', async () => {
    const args = ['bench', fid(1n), '--http', stage.http, '--proxy', stage.http, ...few];
    const table = await runProgram(args);
    expect(table.stdout).toMatch(/^path +reads\/s/m);
    expect(table.stdout).toMatch(/^http .*1\.00$/m);
    const markdown = await runProgram([...args, '--markdown']);
    expect(markdown.stdout).toMatch(/^\| proxy \|.*\|$/m);
  });

  test('at a rate sends as many as it says, whatever the answers do', async () => {
    const args = ['bench', fid(1n), '--http', stage.http, '--rate', '300', '--iterations', '90'];
    const { stdout } = await runProgram([...args, '--rounds', '1', '--json']);
    const [{ figures }] = JSON.parse(stdout).paths;
    expect(figures.reads).toBe(90);
    expect(figures.readsPerSecond).toBeLessThan(330);
  });

  test('of paths that give different bytes fails, and names the needle', async () => {
    const liar = createServer((_request, response) => {
      response.writeHead(206, { 'Content-Length': 4096 });
      response.end(Buffer.alloc(4096, 'x'));
    });
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    const { status, stderr } = await runProgram([
      ...['bench', fid(3n), '--http', stage.http, '--proxy', url, ...few],
    ]);
    liar.closeAllConnections();
    liar.close();
    expect(status).toBe(1);
    expect(stderr).toContain(`${fid(3n)} differs: http gives`);
  });

  test('of a needle that is not there fails before it measures', async () => {
    const { status, stderr } = await runProgram(['bench', fid(77n), '--http', stage.http, ...few]);
    expect(status).toBe(1);
    expect(stderr).toContain(`${fid(77n)}: failed: 404`);
  });

  test('without needles, paths or a known transport is a wrong use', async () => {
    expect((await runProgram(['bench', '--http', stage.http])).status).toBe(2);
    expect((await runProgram(['bench', fid(1n), '--rate', '5'])).status).toBe(2);
    const wrong = await runProgram(['bench', fid(1n), '--transports', 'tcpp']);
    expect(wrong.status).toBe(2);
    expect(wrong.stderr).toContain('tcp, shm, rdma');
  });
});

describe.skipIf(!loadBinding().hasUcx)('a comparison by transport (needs UCX)', () => {
  let target: string;
  let stop: () => Promise<unknown>;

  beforeAll(async () => {
    const file = scratch.write(
      'target.toml',
      `[rdma]\nport = 0\nbuffer_size = "64MiB"\n[target]\ndirs = ["${dir}"]\nunconfirmed = true\n[admin]\nlisten = "127.0.0.1:0"\n`,
    );
    const role = startRole(['target', '--config', file]);
    target = String((await role.ready())['rdma']);
    stop = () => role.stop();
  });
  afterAll(() => stop());

  test('reads by each, against HTTP, and names what this machine has not got', async () => {
    const { status, stdout } = await runProgram([
      ...['bench', '--dir', dir, '--target', target, '--transports', 'tcp,shm,rdma'],
      ...['--http', stage.http, ...few, '--json'],
    ]);
    expect(status).toBe(0);
    const { paths } = JSON.parse(stdout);
    const byName = new Map(paths.map((path: { name: string }) => [path.name, path]));
    expect(byName.get('tcp')).toMatchObject({ detail: `${target} by tcp`, figures: { reads: 60 } });
    expect(byName.get('shm')).toMatchObject({ figures: { reads: 60, failures: {} } });
    // Without a device: told, and no reason to fail. With one: measured.
    const rdma = byName.get('rdma') as { figures?: object; detail: string };
    if (rdma.figures === undefined) expect(rdma.detail).toContain('leave no transport');
  });
});

test('a closed loop has no more under way than its depth', async () => {
  let underWay = 0;
  let most = 0;
  const operation = async (): Promise<void> => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
  };
  const { latenciesUs } = await closedLoop(operation, 50, 4);
  expect([latenciesUs.length, most]).toEqual([50, 4]);
});

test('an open loop counts the time that a read waited to be sent', async () => {
  let isFirst = true;
  const operation = async (): Promise<void> => {
    if (!isFirst) return;
    isFirst = false;
    // Nothing else is sent meanwhile: the loop of events stands still.
    const until = performance.now() + 100;
    while (performance.now() < until);
  };
  const { latenciesUs } = await openLoop(operation, 20, 200);
  // Those that were due during the stall waited for its end.
  expect(latenciesUs.filter((us) => us > 20_000).length).toBeGreaterThan(10);
});

test('what fails is counted by why, and has no latency', async () => {
  const operation = (index: number): Promise<void> =>
    index % 2 === 0 ? Promise.resolve() : Promise.reject(new Error('deadline'));
  const { latenciesUs, failures } = await closedLoop(operation, 10, 1);
  expect(latenciesUs).toHaveLength(5);
  expect([...failures]).toEqual([['deadline', 5]]);
});

test('a ratio is the median over the rounds', () => {
  const of = (...p50s: number[]): PathFigures =>
    ({ rounds: p50s.map((p50Us) => ({ p50Us, readsPerSecond: 1 })) }) as unknown as PathFigures;
  expect(medianRatio(of(20, 900, 30), of(10, 10, 10))).toBe(3);
  expect(medianRatio(of(20, 40), of(10, 10))).toBe(3);
});
