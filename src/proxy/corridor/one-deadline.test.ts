/** A read has one deadline, however many round trips it makes or waits for. */
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { old } from '../../../test/unit/cache-rig.ts';
import { ManualFetcher } from '../../../test/unit/manual-fetcher.ts';
import { type NeedleOutcome, type NeedleRoute, outcomeOf } from '../../needle/needle-outcome.ts';
import { CacheMemory } from '../../rdma/cache-memory.ts';
import { NeedleCache } from '../cache/needle-cache.ts';
import { LearnedFacts } from '../fleet/learned-facts.ts';
import { TargetDirectory, targetEntry } from '../fleet/target-directory.ts';
import { createNeedleRoute } from './needle-route.ts';

const memory = new CacheMemory({ bytes: 64 * 1024 * 1024, hugepages: 'off' });

const timeoutMs = 400;

class Rig {
  readonly fetcher = new ManualFetcher();
  readonly get: (headers?: readonly string[]) => Promise<NeedleOutcome>;
  readonly route: NeedleRoute;

  constructor() {
    const facts = new LearnedFacts();
    const server = { server: 'S 1', kind: 'go', requiresToken: false } as const;
    facts.learnProbe({ ...server, sentAt: performance.now() });
    const cache = new NeedleCache({
      bytesMax: 1 << 20,
      decodedBytesMax: 1 << 20,
      policyOf: () => ({ consistency: 'strict', leaseMs: 0 }),
      timeoutMs,
      validationsMax: 1,
      ttlMarginMs: 2_000,
      memory,
    });
    const options = {
      mode: 'prefer',
      onCorrupt: 'pass',
      needleBytesMax: 1 << 26,
      decodedBytesMax: 1 << 26,
      timeoutMs,
      readKey: () => undefined,
    } as const;
    const entry = targetEntry('http://127.0.0.1:1', this.fetcher, facts);
    const route = createNeedleRoute(options, new TargetDirectory([entry]), cache);
    this.route = route;
    this.get = (headers = []) => {
      const rawHeaders = ['Host', 'a', ...headers];
      return outcomeOf(route, { method: 'GET', target: '/3,0700000009', rawHeaders }, false);
    };
  }

  async failFirst(status: 'deadline' | 'io_error'): Promise<void> {
    this.fetcher.reads.shift()?.answer({ kind: 'failed', status });
    for (let i = 0; i < 5; i += 1) await turn();
  }
}

it('counts the wait for the READ of another read', async () => {
  const rig = new Rig();
  void rig.get();
  const joiner = rig.get();
  await pause(100);
  await rig.failFirst('io_error');
  const [own] = rig.fetcher.reads;
  expect(own?.command.timeoutMs).toBeLessThanOrEqual(timeoutMs - 95);
  await rig.failFirst('io_error');
  expect(await joiner).toMatchObject({ kind: 'passthrough', reason: 'target-down' });
});

it('does not ask a target that gave no sign of life while it waited for the READ of another read', async () => {
  const rig = new Rig();
  void rig.get();
  const joiner = rig.get();
  await rig.failFirst('deadline');
  expect(await joiner).toMatchObject({ kind: 'passthrough', reason: 'breaker' });
  expect(rig.fetcher.reads).toHaveLength(0);
});

it('counts the round trips for metadata and bytes together', async () => {
  const rig = new Rig();
  const read = rig.get(['If-None-Match', '"another"']);
  expect(rig.fetcher.reads[0]?.command).toMatchObject({ metadataOnly: true });
  await pause(100);
  rig.fetcher.reads.shift()?.needle(old);
  for (let i = 0; i < 5; i += 1) await turn();
  expect(rig.fetcher.reads[0]?.command.timeoutMs).toBeLessThanOrEqual(timeoutMs - 95);
  rig.fetcher.reads.shift()?.needle(old);
  expect(await read).toMatchObject({ kind: 'answer' });
});

it('counts the round trips of all its ranges together', async () => {
  const rig = new Rig();
  const large = Buffer.alloc(3 << 20);
  const read = rig.get(['Range', 'bytes=0-9,1000000-1000009,2000000-2000009']);
  const timeouts: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    const { fetcher } = rig;
    timeouts.push(fetcher.reads[0]?.command.timeoutMs as number);
    await pause(50);
    fetcher.reads.shift()?.needle(large);
    for (let turns = 0; turns < 5; turns += 1) await turn();
  }
  for (const [index, left] of timeouts.entries()) {
    expect(left).toBeLessThanOrEqual(timeoutMs - 48 * index);
  }
  expect(await read).toMatchObject({ kind: 'answer' });
});

it('forwards a read whose time is over when the READ of another read has failed', async () => {
  const rig = new Rig();
  void rig.get();
  const joiner = rig.get();
  await pause(timeoutMs + 10);
  await rig.failFirst('io_error');
  expect(await joiner).toMatchObject({ kind: 'passthrough', reason: 'deadline' });
  expect(rig.fetcher.reads).toHaveLength(0);
});

it('tells its receiver of a fault in the receiver itself', async () => {
  const rig = new Rig();
  const fault = new Error('cannot be delivered');
  const failed = new Promise((fail) => {
    const head = { method: 'GET', target: '/3,0700000009', rawHeaders: ['Host', 'a'] };
    const receive = (): never => {
      throw fault;
    };
    rig.route.serve(head, false, { receive, fail });
  });
  rig.fetcher.reads.shift()?.needle(old);
  expect(await failed).toBe(fault);
});
