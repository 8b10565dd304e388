/** A lane's question: yes only where a read that came now would be a hit, and never twice. */
import { describe, expect, test, vi } from 'vitest';
import { CacheRig, modes } from '../../../test/unit/cache-rig.ts';
import type { ManualFetcher } from '../../../test/unit/manual-fetcher.ts';
import type { CachePolicy } from '../cache/cache-policy.ts';
import type { CachedVolume } from '../cache/cached-volume.ts';
import type { WaitingRead } from '../fleet/hedging.ts';
import { LearnedFacts } from '../fleet/learned-facts.ts';
import { TargetDirectory, type TargetEntry, targetEntry } from '../fleet/target-directory.ts';
import type { LaneVolume } from '../lanes/lane-volume.ts';
import { askForLane } from './lane-question.ts';
import { createNeedleRoute, type LaneRoute } from './needle-route.ts';

const probe = { kind: 'go', requiresToken: false } as const;

class Stage {
  readonly rig: CacheRig;
  readonly facts = new LearnedFacts();
  readonly entry: TargetEntry;
  readonly grant = vi.fn<LaneVolume['grant']>();
  readonly route: LaneRoute;
  readKey: string | undefined;

  constructor(policy: CachePolicy = modes.strict) {
    this.rig = new CacheRig(policy);
    this.facts.learnProbe({ ...probe, server: 'S 1', sentAt: performance.now() });
    this.entry = targetEntry('http://127.0.0.1:1', this.fetcher, this.facts);
    const options = {
      mode: 'prefer',
      onCorrupt: 'pass',
      needleBytesMax: 1 << 26,
      decodedBytesMax: 1 << 26,
      timeoutMs: 1000,
      readKey: () => this.readKey,
    } as const;
    this.route = createNeedleRoute(options, new TargetDirectory([this.entry]), this.rig.cache);
  }

  get fetcher(): ManualFetcher {
    return this.rig.fetcher;
  }

  /** Answers of it are published. */
  get volume(): CachedVolume {
    const { volume } = this.rig;
    const endGrant = (): void => undefined;
    const others = { drop: endGrant, forget: endGrant, endGrant };
    volume.published ??= {
      server: 'go S 1',
      grant: this.grant,
      ...others,
    } as unknown as LaneVolume;
    return volume;
  }

  ask(volume: CachedVolume = this.volume): ReturnType<typeof vi.fn<(isFresh: boolean) => void>> {
    const settle = vi.fn<(isFresh: boolean) => void>();
    this.route.ask(volume, settle);
    return settle;
  }
}

describe('of a strict volume', () => {
  test('asks the target, and waits for the answer', async () => {
    const stage = new Stage();
    const settle = stage.ask();
    await stage.rig.posted();
    expect(settle).not.toHaveBeenCalled();
    stage.fetcher.validates[0]?.verdicts();
    await vi.waitFor(() => expect(settle.mock.calls).toEqual([[true]]));
    expect(stage.grant).not.toHaveBeenCalled();
  });

  test('is for what is posted after it: one that comes meanwhile waits for the next VALIDATE', async () => {
    const stage = new Stage();
    const first = stage.ask();
    await stage.rig.posted();
    const second = stage.ask();
    stage.fetcher.validates[0]?.verdicts();
    await vi.waitFor(() => expect(first).toHaveBeenCalledOnce());
    expect(second).not.toHaveBeenCalled();
    await stage.rig.posted(2);
    stage.fetcher.validates[1]?.verdicts();
    await vi.waitFor(() => expect(second.mock.calls).toEqual([[true]]));
  });

  test.each(['gone', 'unconfirmed'] as const)('is no where the volume is %s', async (verdict) => {
    const stage = new Stage();
    const settle = stage.ask();
    await stage.rig.posted();
    stage.fetcher.validates[0]?.verdicts({ verdict });
    await vi.waitFor(() => expect(settle.mock.calls).toEqual([[false]]));
  });

  test('is no where the target does not answer', async () => {
    const stage = new Stage();
    const settle = stage.ask();
    await stage.rig.posted();
    stage.fetcher.validates[0]?.answer({ kind: 'failed', status: 'deadline' });
    await vi.waitFor(() => expect(settle.mock.calls).toEqual([[false]]));
  });
});

describe('is no, and nothing is asked', () => {
  const says: readonly (readonly [what: string, change: (stage: Stage) => void])[] = [
    [
      'another server stands behind the volume',
      ({ facts }) => facts.learnProbe({ ...probe, server: 'S 2', sentAt: performance.now() }),
    ],
    [
      'the server is another kind',
      ({ facts }) =>
        facts.learnProbe({ ...probe, kind: 'rust', server: 'S 1', sentAt: performance.now() }),
    ],
    [
      'reads need a token',
      ({ facts }) =>
        facts.learnProbe({
          ...probe,
          requiresToken: true,
          server: 'S 1',
          sentAt: performance.now(),
        }),
    ],
    [
      'a read key came later',
      (stage) => {
        stage.readKey = 'a key';
      },
    ],
    [
      'the volume is not confirmed',
      ({ fetcher }) => {
        fetcher.volumes.set(3, { volumeId: 3, version: 3, confirmed: false, collection: '' });
        fetcher.changed();
      },
    ],
    [
      'no target has the volume',
      ({ fetcher }) => {
        fetcher.volumes.clear();
        fetcher.changed();
      },
    ],
    [
      'the target is down',
      ({ fetcher }) => {
        fetcher.state = { kind: 'down', detail: 'gone' } as unknown as ManualFetcher['state'];
        fetcher.changed();
      },
    ],
    [
      'the breaker is open',
      ({ entry }) => {
        for (let i = 0; i < 20 && entry.breaker.admit(); i += 1) entry.breaker.ended('io_error');
      },
    ],
  ];

  test.each(says)('where %s', (_, change) => {
    const stage = new Stage();
    const { volume } = stage;
    change(stage);
    expect(stage.ask(volume).mock.calls).toEqual([[false]]);
    expect(stage.fetcher.validates).toEqual([]);
  });

  test("where the volume is another target's", () => {
    const { volume } = new Stage();
    const stage = new Stage();
    expect(stage.ask(volume).mock.calls).toEqual([[false]]);
    expect(stage.fetcher.validates).toEqual([]);
  });
});

describe('of a volume that is served without asking', () => {
  test('is answered at once, with a grant of 20 ms', () => {
    const stage = new Stage(modes.immutable);
    expect(stage.ask().mock.calls).toEqual([[true]]);
    expect(stage.grant.mock.calls).toEqual([[20]]);
    expect(stage.fetcher.validates).toEqual([]);
  });

  test('asks until there is a lease; then it is granted no longer than that', async () => {
    const stage = new Stage({ consistency: 'lease', leaseMs: 15 });
    const settle = stage.ask();
    await stage.rig.posted();
    expect(stage.fetcher.validates[0]?.leaseMs).toBe(15);
    stage.fetcher.validates[0]?.verdicts({ leased: true });
    await vi.waitFor(() => expect(settle.mock.calls).toEqual([[true]]));
    expect(stage.grant).not.toHaveBeenCalled();
    const next = stage.ask();
    if (stage.grant.mock.calls.length === 0) return; // Over already, on a slow machine.
    expect(next.mock.calls).toEqual([[true]]);
    expect(stage.grant.mock.calls[0]?.[0]).toBeLessThanOrEqual(15);
  });

  test('is no under immutable, too, once a read key came', () => {
    const stage = new Stage(modes.immutable);
    stage.readKey = 'a key';
    expect(stage.ask().mock.calls).toEqual([[false]]);
    expect(stage.grant).not.toHaveBeenCalled();
  });
});

describe('that is late', () => {
  test('is no, so that its requests become reads that may be hedged, and is not settled again', async () => {
    const stage = new Stage();
    const waiting: WaitingRead[] = [];
    const ended = vi.fn();
    const hedging = { began: (read: WaitingRead) => void waiting.push(read), ended };
    const entry = {
      ...stage.entry,
      breaker: stage.entry.breaker,
      hedging,
    } as unknown as TargetEntry;
    const settle = vi.fn<(isFresh: boolean) => void>();
    askForLane({ cache: stage.rig.cache, entry }, stage.volume, settle);
    await stage.rig.posted();
    expect(waiting).toHaveLength(1);
    expect(waiting[0]?.hedge()).toBe(false);
    expect(settle.mock.calls).toEqual([[false]]);
    expect(ended).toHaveBeenCalledExactlyOnceWith(waiting[0], undefined);
    stage.fetcher.validates[0]?.verdicts();
    await new Promise((resolve) => setImmediate(resolve));
    expect(settle).toHaveBeenCalledOnce();
    expect(ended).toHaveBeenCalledOnce();
  });
});
