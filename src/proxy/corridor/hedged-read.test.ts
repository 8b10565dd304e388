/** A hedged read: the first answer goes to the receiver, once, and the other leaves nothing behind. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { cookie, old } from '../../../test/unit/cache-rig.ts';
import { ManualFetcher } from '../../../test/unit/manual-fetcher.ts';
import type { NeedleOutcome, PassthroughOutcome } from '../../needle/needle-outcome.ts';
import { parseRead } from '../../needle/request/read-request.ts';
import { CacheMemory } from '../../rdma/cache-memory.ts';
import { NeedleCache } from '../cache/needle-cache.ts';
import { LearnedFacts } from '../fleet/learned-facts.ts';
import { targetEntry } from '../fleet/target-directory.ts';
import { NeedleRead } from './needle-read.ts';

const memory = new CacheMemory({ bytes: 64 * 1024 * 1024, hugepages: 'off' });

const upstreamUrl = 'http://127.0.0.1:1';
/** Late only when a test says so. */
const hedge = { afterMsMin: 60_000, afterMsMax: 60_000, percentMax: 5 };
const options = {
  mode: 'prefer',
  onCorrupt: 'pass',
  needleBytesMax: 1 << 26,
  decodedBytesMax: 1 << 26,
  timeoutMs: 1_000,
} as const;

class Receiver {
  readonly outcomes: NeedleOutcome[] = [];
  readonly forwarded: PassthroughOutcome[] = [];
  isGone = false;

  receive(outcome: NeedleOutcome): void {
    this.outcomes.push(outcome);
  }

  fail(error: unknown): void {
    throw error;
  }

  hedge(outcome: PassthroughOutcome): boolean {
    if (!this.isGone) this.forwarded.push(outcome);
    return !this.isGone;
  }

  /** The volume server's answer begins, or its part is over. */
  won(status: number): string | undefined {
    return this.forwarded.at(-1)?.race?.won(status);
  }

  lost(): void {
    this.forwarded.at(-1)?.race?.lost();
  }
}

class Rig {
  readonly fetcher = new ManualFetcher();
  readonly facts = new LearnedFacts();
  readonly entry = targetEntry(upstreamUrl, this.fetcher, this.facts, hedge);
  readonly cache = new NeedleCache({
    bytesMax: 1 << 20,
    decodedBytesMax: 1 << 20,
    policyOf: () => ({ consistency: 'strict', leaseMs: 1_000 }),
    timeoutMs: 1_000,
    validationsMax: 1,
    ttlMarginMs: 2_000,
    memory,
  });

  constructor() {
    const server = { server: 'S 1', kind: 'go', requiresToken: false } as const;
    this.facts.learnProbe({ ...server, sentAt: performance.now() });
  }

  begin(receiver: Receiver): NeedleRead {
    const { fetcher, entry, cache } = this;
    const head = { method: 'GET', target: '/3,0700000009', rawHeaders: ['Host', 'a'] };
    const parsed = parseRead(head);
    if (parsed.kind !== 'read') throw new Error(parsed.reason);
    expect(parsed.read.cookie).toBe(cookie);
    const read = new NeedleRead({ options, entry, fetcher, cache, read: parsed.read }, receiver);
    read.begin();
    return read;
  }

  /** Answers the oldest READ. */
  async needle(): Promise<void> {
    this.fetcher.reads.shift()?.needle(old);
    await turns();
  }

  async fail(status: 'deadline' | 'not_found' | 'corrupt'): Promise<void> {
    this.fetcher.reads.shift()?.answer({ kind: 'failed', status });
    await turns();
  }

  /** Leases that neither the cache nor a test has. */
  get leasesAstray(): number {
    return this.fetcher.leasesOut;
  }

  get winners(): Readonly<Record<string, number>> | undefined {
    return this.entry.hedging?.counts.winners;
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await turn();
}

it('goes to HTTP: the late needle is dropped, and kept in the cache', async () => {
  const rig = new Rig();
  const receiver = new Receiver();
  expect(rig.begin(receiver).hedge()).toBe(true);
  expect(receiver.forwarded).toMatchObject([{ reason: 'hedged', upstreamUrl }]);
  expect(receiver.won(200)).toBe('hedged');
  await rig.needle();
  expect(receiver.outcomes).toEqual([]);
  expect(rig.cache.stats().needles).toBe(1);
  expect(rig.leasesAstray).toBe(0);
  expect(rig.winners).toEqual({ http: 1, fabric: 0, neither: 0 });
  expect(rig.entry.breaker.state).toBe('closed');
});

it('goes to the target: the volume server does not win afterwards', async () => {
  const rig = new Rig();
  const receiver = new Receiver();
  rig.begin(receiver).hedge();
  await rig.needle();
  expect(receiver.outcomes).toMatchObject([{ kind: 'answer', source: 'rdma' }]);
  expect(receiver.won(200)).toBeUndefined();
  receiver.lost();
  expect(receiver.outcomes).toHaveLength(1);
  expect(rig.winners).toEqual({ http: 0, fabric: 1, neither: 0 });
});

it('leaves an error of the volume server aside while the target is awaited', async () => {
  const rig = new Rig();
  const receiver = new Receiver();
  rig.begin(receiver).hedge();
  expect(receiver.won(500)).toBeUndefined();
  receiver.lost();
  await rig.needle();
  expect(receiver.outcomes).toMatchObject([{ kind: 'answer', source: 'rdma' }]);
});

it('is not forwarded twice where the target fails: the answer under way counts, with its reason', async () => {
  const rig = new Rig();
  const receiver = new Receiver();
  rig.begin(receiver).hedge();
  await rig.fail('deadline');
  expect(receiver.outcomes).toEqual([]);
  expect(receiver.won(503)).toBe('deadline');
  expect(rig.winners).toEqual({ http: 1, fabric: 0, neither: 0 });
});

it('is forwarded as ever where both have failed', async () => {
  const rig = new Rig();
  const receiver = new Receiver();
  rig.begin(receiver).hedge();
  await rig.fail('deadline');
  receiver.lost();
  expect(receiver.outcomes).toMatchObject([{ kind: 'passthrough', reason: 'deadline' }]);
  expect(rig.winners).toEqual({ http: 0, fabric: 0, neither: 1 });
});

it('tells the breaker of its deadline although it has lost the race', async () => {
  const rig = new Rig();
  for (let i = 0; i < 5; i += 1) {
    const receiver = new Receiver();
    rig.begin(receiver).hedge();
    receiver.won(200);
    await rig.fail('deadline');
  }
  expect(rig.entry.breaker.state).toBe('open');
});

it('shares its READ: those that were hedged look no further, and leave the others their answers', async () => {
  const rig = new Rig();
  const receivers = [new Receiver(), new Receiver(), new Receiver()];
  const reads = receivers.map((receiver) => rig.begin(receiver));
  for (const index of [0, 1]) {
    reads[index]?.hedge();
    expect(receivers[index]?.won(200)).toBe('hedged');
  }
  await rig.needle();
  // The last one came after the READ was posted, so it asks whether what that left is fresh.
  for (const validate of rig.fetcher.validates.splice(0)) validate.verdicts();
  await turns();
  expect(rig.fetcher.reads).toHaveLength(0);
  expect(receivers.map(({ outcomes }) => outcomes.map(({ kind }) => kind))).toEqual([
    [],
    [],
    ['answer'],
  ]);
  expect(rig.cache.stats()).toMatchObject({ hits: 1, joins: 2 });
  for (const { outcomes } of receivers) {
    for (const outcome of outcomes) if (outcome.kind === 'answer') outcome.release();
  }
  expect(rig.leasesAstray).toBe(0);
});

it('of a hit that waits for its VALIDATE does not answer a second time', async () => {
  const rig = new Rig();
  const first = new Receiver();
  rig.begin(first);
  await rig.needle();
  const receiver = new Receiver();
  rig.begin(receiver).hedge();
  await turns();
  expect(rig.fetcher.validates).toHaveLength(1);
  expect(receiver.won(200)).toBe('hedged');
  rig.fetcher.validates[0]?.verdicts();
  await turns();
  expect(receiver.outcomes).toEqual([]);
});

it('of a hit that has changed meanwhile reads nothing any more', async () => {
  const rig = new Rig();
  rig.begin(new Receiver());
  await rig.needle();
  const receiver = new Receiver();
  rig.begin(receiver).hedge();
  await turns();
  receiver.won(200);
  rig.fetcher.validates[0]?.verdicts({ changedIds: [7n], position: 176n });
  await turns();
  expect(rig.fetcher.reads).toHaveLength(0);
});

it('is none where the client is gone, or the volume server down', async () => {
  const rig = new Rig();
  const gone = new Receiver();
  gone.isGone = true;
  expect(rig.begin(gone).hedge()).toBe(false);
  rig.facts.missProbe('down', 'refused');
  const receiver = new Receiver();
  expect(rig.begin(receiver).hedge()).toBe(false);
  expect(receiver.forwarded).toEqual([]);
  await rig.needle();
  expect(rig.winners).toEqual({ http: 0, fabric: 0, neither: 0 });
});
