/**
 * A target that is killed and started again, and one that is stopped and goes on, under load; the long run is
 * run-faults.ts. And a target that is slow for all its reads, which hedging must not turn into a load on the volume server.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hedgesAtOnceMax } from '../../src/proxy/fleet/hedging.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { plainGet, readJudged } from './judged-read.ts';
import { KeepAliveClient } from './keep-alive-client.ts';
import { startStack } from './roles.ts';
import { faultDefaults, runFaults } from './run-faults.ts';
import { TrackedNeedle } from './tracked-needle.ts';
import { startVolumeServer } from './volume-server.ts';

const timeoutMs = 60_000;

const runs: readonly { transport: 'tcp' | 'ucx'; hedge: 'p99' | 'off'; longest: string }[] = [
  { transport: 'tcp', hedge: 'p99', longest: '250 ms' },
  { transport: 'ucx', hedge: 'off', longest: 'rdma.timeout' },
];

test.skipIf(!loadBinding().hasUcx).each(runs)(
  'a killed and a stopped target over $transport with hedging $hedge fail no request, and a read takes $longest at most',
  async ({ transport, hedge }) => {
    const report = await runFaults({
      ...faultDefaults,
      transport,
      hedge,
      kills: transport === 'tcp' ? 2 : 1,
      stops: 1,
      stopMsMin: 2_500,
      stopMsMax: 3_000,
      seed: Date.now() % 1_000_000,
    });
    expect(report, JSON.stringify(report)).toMatchObject({ problems: [], failedRequests: 0 });
    expect(report.passedByReason['target-down']).toBeGreaterThan(10);
    expect(report.passedByReason[hedge === 'off' ? 'deadline' : 'hedged']).toBeGreaterThan(0);
    expect(report.passedByReason['breaker']).toBeGreaterThan(0);
  },
  timeoutMs,
);

test(
  'a target that is slow for all its reads has one in twenty of them hedged',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-slow-'));
    const dir = join(folder, 'data');
    mkdirSync(dir);
    const server = await startVolumeServer({ dirs: [dir], volumeIds: [1] });
    const stack = await startStack({
      transport: 'inproc',
      folder,
      servers: [{ url: server.url, dirs: [dir] }],
      rdmaToml: 'simulated_latency = "80ms"\nhedge = "p99"\n',
      proxyToml: '[cache]\nsize = "0B"\n',
    });
    const clients = Array.from({ length: 32 }, () => new KeepAliveClient(stack.port));
    try {
      const needle = new TrackedNeedle(1, 1n, 1_000, {});
      const { version, data } = needle.beginWrite(performance.now(), () => 0);
      server.onWritten = (_volumeId, _needleId, etag) => needle.wrote(etag);
      server.put(1, 1n, data);
      needle.acknowledge(version, performance.now());
      const [first] = clients as [KeepAliveClient];
      while ((await readJudged(first, needle, plainGet)).source !== 'rdma');
      const before = await lateReads();
      const sources: Record<string, number> = {};
      const until = performance.now() + 2_500;
      const read = async (client: KeepAliveClient): Promise<void> => {
        while (performance.now() < until) {
          const { source, reason } = await readJudged(client, needle, plainGet);
          const key = `${source} ${reason}`;
          sources[key] = (sources[key] ?? 0) + 1;
        }
      };
      await Promise.all(clients.map(read));
      const late = (await lateReads()) - before;
      const reads = Object.values(sources).reduce((sum, count) => sum + count, 0);
      expect(reads).toBeGreaterThan(300);
      expect(Object.keys(sources).toSorted()).toEqual(['passthrough hedged', 'rdma ']);
      const hedged = sources['passthrough hedged'] ?? 0;
      expect(hedged).toBeGreaterThan(reads * 0.03);
      expect(hedged).toBeLessThanOrEqual(reads * 0.05 + hedgesAtOnceMax);
      expect(hedged).toBeLessThanOrEqual(late);
    } finally {
      for (const client of clients) client.close();
      await stack.stop();
      await server.close();
      rmSync(folder, { recursive: true });
    }

    function lateReads(): Promise<number> {
      return stack.metric('seaweed_rdma_late_reads_total{target="inproc",hedge="budget"}');
    }
  },
  timeoutMs,
);
