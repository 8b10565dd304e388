import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ManualRail } from '../../../test/unit/manual-rail.ts';
import type { FetchResult, ReadCommand, ReadRecord, VolumeChange } from '../needle-fetcher.ts';
import type { StatusName } from '../status.ts';
import { railRules } from './rail.ts';
import { RailsFetcher } from './rails-fetcher.ts';

const whole: ReadCommand = {
  volumeId: 3,
  needleId: 7n,
  cookie: 9,
  offset: 0,
  length: 0,
  wholeBytesMax: 1 << 20,
  budgetBytes: 1 << 20,
  metadataOnly: false,
  timeoutMs: 2_000,
};
const bytes = Buffer.from('some bytes');
const item = { volumeId: 3, epoch: 11n, position: 160n };

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  });
});

afterEach(() => {
  vi.useRealTimers();
});

interface Shape {
  readonly far?: readonly number[];
  readonly fallbacks?: readonly number[];
  readonly down?: readonly number[];
}

/** Rails of hand-made fetchers, by number. */
class Rig {
  readonly rails: readonly ManualRail[];
  readonly fetcher: RailsFetcher;
  readonly records: ReadRecord[] = [];
  changes = 0;

  constructor(count: number, { far = [], fallbacks = [], down = [] }: Shape = {}) {
    this.rails = Array.from(
      { length: count },
      (_, index) => new ManualRail(index, !down.includes(index)),
    );
    this.fetcher = new RailsFetcher({
      address: 'target:1',
      places: this.rails.map((fetcher, index) => ({
        name: `r${index}`,
        fetcher,
        isFallback: fallbacks.includes(index),
        isNear: !far.includes(index),
      })),
      onRead: (record) => void this.records.push(record),
    });
    this.fetcher.onChange(() => {
      this.changes += 1;
    });
  }

  rail(index: number): ManualRail {
    return this.rails[index] as ManualRail;
  }

  get states(): string {
    return this.fetcher.rails.map(({ state }) => state).join(' ');
  }

  get lead(): string | undefined {
    return this.fetcher.rails.find(({ isLead }) => isLead)?.name;
  }

  read(change: Partial<ReadCommand> = {}): Promise<FetchResult> {
    return this.fetcher.read({ ...whole, ...change });
  }

  /** Rail `index` says nothing from now on. */
  silence(index: number): void {
    this.rail(index).answersPings = false;
  }
}

async function answered(result: Promise<FetchResult>): Promise<string> {
  const read = await result;
  if (read.kind === 'failed') return read.status;
  const text = read.data?.view.toString() ?? '';
  read.data?.lease.release();
  return text;
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

describe('a read', () => {
  test('takes the rail with the fewest bytes outstanding', async () => {
    const rig = new Rig(2);
    void rig.read({ length: 1 << 20 });
    for (let count = 0; count < 8; count += 1) void rig.read({ length: 100_000 });
    expect(rig.rails.map(({ reads }) => reads.length)).toEqual([1, 8]);
    expect(rig.fetcher.rails[1]?.outstandingBytes).toBeGreaterThan(800_000);
    for (const { reads } of rig.rails) for (const read of reads) read.needle(bytes);
    await pass(0);
    expect(rig.fetcher.rails.map(({ outstandingBytes }) => outstandingBytes)).toEqual([0, 0]);
  });

  test('alternates where one comes after the other', async () => {
    const rig = new Rig(2);
    for (let count = 0; count < 10; count += 1) {
      const result = rig.read();
      for (const { reads } of rig.rails) reads[reads.length - 1]?.needle(bytes);
      await answered(result);
    }
    expect(rig.rails.map(({ reads }) => reads.length)).toEqual([5, 5]);
  });

  test('takes a far rail only beyond what the near ones have outstanding', () => {
    const rig = new Rig(2, { far: [0] });
    for (let count = 0; count < 4; count += 1) void rig.read({ length: 100_000 });
    expect(rig.rails.map(({ reads }) => reads.length)).toEqual([1, 3]);
  });

  test('is told the status that the target answers, on the rail that it took', async () => {
    const statuses: StatusName[] = ['not_found', 'corrupt', 'io_error', 'overload', 'bad_request'];
    for (const status of statuses) {
      const rig = new Rig(2);
      const result = rig.read();
      rig.rail(0).reads[0]?.answer({ kind: 'failed', status: status as 'not_found' });
      expect(await answered(result)).toBe(status);
      expect(rig.rail(1).reads).toEqual([]);
      expect(rig.states).toBe('admitted admitted');
    }
  });

  test('goes on by another rail within 250 ms where its own is silent, and within its one deadline', async () => {
    const rig = new Rig(2);
    rig.silence(0);
    const result = rig.read();
    await pass(250);
    expect(rig.states).toBe('ejected admitted');
    expect(rig.rail(1).reads).toHaveLength(1);
    const timeoutMs = rig.rail(1).reads[0]?.command.timeoutMs;
    expect(timeoutMs).toBeLessThan(1_801);
    expect(timeoutMs).toBeGreaterThan(1_749);
    rig.rail(1).reads[0]?.needle(bytes);
    expect(await answered(result)).toBe('some bytes');
    expect(rig.fetcher.rails[0]).toMatchObject({ ejections: 1, sentAgain: 1, reason: 'deadline' });
  });

  test('that is under way when its rail is ejected goes on at once, however young', async () => {
    const rig = new Rig(2);
    rig.silence(0);
    void rig.read({ length: 100 });
    void rig.read({ length: 100 });
    await pass(180);
    const young = rig.read({ length: 0, metadataOnly: true });
    await pass(60);
    for (const read of rig.rail(1).reads) read.needle(bytes);
    expect(await answered(young)).toBe('');
  });

  test('waits for a slow target whose rails answer, on two of them, and ejects nothing', async () => {
    const rig = new Rig(3);
    const result = rig.read();
    await pass(1_500);
    expect(rig.rail(0).pings).toBeGreaterThan(3);
    expect(rig.rails.map(({ reads }) => reads.length)).toEqual([1, 1, 0]);
    rig.rail(0).reads[0]?.needle(bytes);
    expect(await answered(result)).toBe('some bytes');
    await pass(50);
    rig.rail(1).reads[0]?.needle(bytes);
    await pass(500);
    expect(rig.states).toBe('admitted admitted admitted');
    expect(rig.rail(1).leasesOut).toBe(0);
  });

  test('goes by another rail as well where its own is slow, which is ejected if it is overtaken by far', async () => {
    const rig = new Rig(2);
    const result = rig.read();
    await pass(230);
    expect(rig.states).toBe('admitted admitted');
    rig.rail(1).reads[0]?.needle(bytes);
    expect(await answered(result)).toBe('some bytes');
    const young = rig.read({ length: 100 });
    const other = rig.read({ length: 100 });
    await pass(110);
    expect(rig.states).toBe('ejected admitted');
    expect(rig.fetcher.rails[0]).toMatchObject({ doubled: 1, reason: 'slow' });
    for (const read of rig.rail(1).reads) read.needle(bytes);
    expect(await Promise.all([answered(young), answered(other)])).toEqual([
      'some bytes',
      'some bytes',
    ]);
  });

  test('is sent twice only as one of twenty', async () => {
    const rig = new Rig(2);
    for (let count = 0; count < 100; count += 1) void rig.read({ metadataOnly: true });
    await pass(500);
    const sent = rig.rails.reduce((sum, { reads }) => sum + reads.length, 0);
    expect(sent).toBe(100 + 16);
  });

  test('takes the first of two answers, and lets the other go', async () => {
    const rig = new Rig(2);
    rig.silence(0);
    const result = rig.read();
    await pass(250);
    rig.rail(0).reads[0]?.needle(Buffer.from('late'));
    expect(await answered(result)).toBe('late');
    rig.rail(1).reads[0]?.needle(bytes);
    await pass(0);
    expect(rig.rails.map(({ leasesOut }) => leasesOut)).toEqual([0, 0]);
    expect(rig.records).toHaveLength(1);
  });

  test('goes on by another rail at once where its session is lost', async () => {
    const rig = new Rig(2);
    const result = rig.read();
    rig.rail(0).lose();
    await pass(0);
    expect(rig.rail(1).reads).toHaveLength(1);
    rig.rail(1).reads[0]?.needle(bytes);
    expect(await answered(result)).toBe('some bytes');
    expect(rig.fetcher.counts.fetches).toEqual({ ok: 1 });
    expect(rig.states).toBe('down admitted');
  });

  test('fails with the last fault when no rail is left, and keeps the last silent one', async () => {
    const rig = new Rig(2);
    const lost = rig.read();
    rig.rail(0).lose();
    await pass(0);
    rig.rail(1).lose();
    expect(await answered(lost)).toBe('peer_lost');
    expect(rig.fetcher.state).toMatchObject({ kind: 'down', status: 'peer_lost' });
    expect(await answered(rig.read())).toBe('not_connected');

    const silent = new Rig(2);
    silent.silence(0);
    silent.silence(1);
    const result = silent.read();
    await pass(1_000);
    expect(silent.states).toBe('ejected admitted');
    for (const { reads } of silent.rails) reads[0]?.answer({ kind: 'failed', status: 'deadline' });
    expect(await answered(result)).toBe('deadline');
  });

  test('takes a fallback only where no other rail is there', async () => {
    const rig = new Rig(3, { fallbacks: [2] });
    for (let count = 0; count < 6; count += 1) void rig.read({ length: 1 << 20 });
    expect(rig.rails.map(({ reads }) => reads.length)).toEqual([3, 3, 0]);
    rig.rail(0).lose();
    rig.rail(1).lose();
    await pass(0);
    expect(rig.rail(2).reads).toHaveLength(6);
    expect(rig.lead).toBe('r2');
    rig.rail(1).up();
    await pass(0);
    expect(rig.lead).toBe('r1');
  });

  test('is refused as closed after close()', async () => {
    const rig = new Rig(2);
    await rig.fetcher.close();
    expect(await answered(rig.read())).toBe('closed');
  });
});

describe('an ejected rail', () => {
  async function ejected(): Promise<Rig> {
    const rig = new Rig(2);
    rig.silence(0);
    const result = rig.read();
    await pass(250);
    rig.rail(1).reads[0]?.needle(bytes);
    await answered(result);
    rig.rail(0).reads[0]?.answer({ kind: 'failed', status: 'deadline' });
    await pass(0);
    return rig;
  }

  test('gets no read, and is readmitted after answers in a row', async () => {
    const rig = await ejected();
    for (let count = 0; count < 3; count += 1) void rig.read({ length: 1 << 20 });
    expect(rig.rail(0).reads).toHaveLength(1);
    await pass(railRules.pauseMs + 200);
    expect(rig.states).toBe('ejected admitted');
    rig.rail(0).answersPings = true;
    await pass(2 * railRules.pauseMs + 200);
    expect(rig.states).toBe('trial admitted');
    expect(rig.fetcher.rails[0]).toMatchObject({ readmissions: 1, reason: '' });
  });

  test('carries one read at a time until one has brought a needle', async () => {
    const rig = await ejected();
    rig.rail(0).answersPings = true;
    await pass(railRules.pauseMs + 100);
    for (let count = 0; count < 4; count += 1) void rig.read({ length: 1 << 16 });
    expect(rig.rail(0).reads).toHaveLength(2);
    rig.rail(0).reads[1]?.needle(bytes);
    await pass(0);
    expect(rig.states).toBe('admitted admitted');
    void rig.read();
    expect(rig.rail(0).reads).toHaveLength(3);
  });

  test('is asked after twice the pause when it is ejected again soon', async () => {
    const rig = await ejected();
    rig.rail(0).answersPings = true;
    await pass(railRules.pauseMs + 100);
    expect(rig.states).toBe('trial admitted');
    rig.silence(0);
    void rig.read();
    await pass(250);
    expect(rig.states).toBe('ejected admitted');
    rig.rail(0).answersPings = true;
    await pass(2 * railRules.pauseMs - 100);
    expect(rig.states).toBe('ejected admitted');
    await pass(150);
    expect(rig.states).toBe('trial admitted');
  });

  test('is probed at once where the other is lost', async () => {
    const rig = await ejected();
    rig.rail(0).answersPings = true;
    rig.rail(1).lose();
    await pass(1);
    expect(rig.states).toBe('trial down');
    expect(rig.fetcher.state.kind).toBe('up');
  });

  test('comes back with a new session, after it has answered', async () => {
    const rig = new Rig(2);
    rig.rail(0).lose();
    rig.silence(0);
    rig.rail(0).up();
    expect(rig.states).toBe('ejected admitted');
    await pass(100);
    rig.rail(0).answersPings = true;
    await pass(2 * railRules.pauseMs);
    expect(rig.states).toBe('trial admitted');
  });
});

test('a silent rail is not ejected for one on trial that is silent as well', async () => {
  const rig = new Rig(2);
  rig.rail(0).lose();
  rig.rail(0).up();
  await pass(100);
  expect(rig.states).toBe('trial admitted');
  rig.rail(0).answersPings = false;
  rig.silence(1);
  void rig.read();
  void rig.read();
  await pass(500);
  expect(rig.states).toBe('ejected admitted');
});

test('a silent lead is ejected for one on trial that answers, though no needle ends the trial', async () => {
  const rig = new Rig(2);
  rig.rail(0).lose();
  rig.rail(0).up();
  await pass(100);
  expect(rig.states).toBe('trial admitted');
  rig.silence(1);
  const ping = rig.fetcher.ping(100);
  void rig.fetcher.validate([item], 1_000);
  await pass(250);
  expect((await ping).kind).toBe('pong');
  expect(rig.states).toBe('trial ejected');
  expect(rig.rail(0).validates.length).toBe(1);
});

test('a lease that the session of another rail than the lead grants is none', async () => {
  const rig = new Rig(2);
  const asked = rig.fetcher.validate([item], 1_000, 500);
  await pass(230);
  expect(rig.rail(1).validates).toHaveLength(1);
  rig.rail(1).validates[0]?.verdicts({ leased: true });
  expect(await asked).toMatchObject({ verdicts: [{ leased: false }] });
  const own = rig.fetcher.validate([item], 1_000, 500);
  rig.rail(0).validates.at(-1)?.verdicts({ leased: true });
  expect(await own).toMatchObject({ verdicts: [{ leased: true }] });
});

describe('the lead', () => {
  test('carries every validation; reads are spread', () => {
    const rig = new Rig(2);
    for (let count = 0; count < 4; count += 1) void rig.fetcher.validate([item], 1_000, 500);
    expect(rig.rails.map(({ validates }) => validates.length)).toEqual([4, 0]);
    expect(rig.fetcher.state).toBe(rig.rail(0).state);
  });

  test('gives way when it is ejected: the session of `state` is another, and observers are told', async () => {
    const rig = new Rig(2);
    rig.silence(0);
    const result = rig.fetcher.validate([item], 1_000, 500);
    const before = rig.changes;
    await pass(250);
    expect(rig.changes).toBeGreaterThan(before);
    expect(rig.fetcher.state).toBe(rig.rail(1).state);
    expect(rig.rail(1).validates[0]?.leaseMs).toBe(500);
    rig.rail(1).validates[0]?.verdicts();
    expect((await result).kind).toBe('verdicts');
  });

  test('stays when the one before is readmitted', async () => {
    const rig = new Rig(2);
    rig.rail(0).lose();
    rig.rail(0).up();
    await pass(100);
    expect(rig.states).toBe('trial admitted');
    expect(rig.lead).toBe('r1');
  });

  test('announces its volumes, and no other rail does', () => {
    const rig = new Rig(2);
    rig.rail(1).volumes.clear();
    expect(rig.fetcher.volumes.has(3)).toBe(true);
    const before = rig.changes;
    rig.rail(1).changed();
    expect(rig.changes).toBe(before);
    rig.rail(0).changed();
    expect(rig.changes).toBe(before + 1);
  });

  test('is one that has told its volumes, where there is a choice', () => {
    const rig = new Rig(3);
    rig.rail(1).volumes.clear();
    rig.rail(0).lose();
    expect(rig.lead).toBe('r2');
  });
});

test('changes that any rail pushes are passed on', () => {
  const rig = new Rig(2);
  const seen: VolumeChange[] = [];
  rig.fetcher.onVolumeChanged((change) => void seen.push(change));
  const change = { volumeId: 3, epoch: 11n, from: 160n, to: 176n, changedIds: [7n] };
  for (const rail of rig.rails) rail.push(change);
  expect(seen).toEqual([change, change]);
});

test('a ping keeps every session, and ejects a rail that does not answer', async () => {
  const rig = new Rig(3);
  rig.silence(2);
  const result = rig.fetcher.ping(1_000);
  await pass(1_000);
  expect((await result).kind).toBe('pong');
  expect(rig.rails.every(({ pings }) => pings > 0)).toBe(true);
  expect(rig.states).toBe('admitted admitted ejected');
  expect(rig.fetcher.counts.pingUs).toBe(20);
});

test('a lease that cannot be had is refused as by one fetcher', async () => {
  const rig = new Rig(2);
  rig.rail(0).validate = () => Promise.reject(new RangeError('a lease of 99999999 ms'));
  await expect(rig.fetcher.validate([item], 1_000, 99_999_999)).rejects.toThrow(RangeError);
});
