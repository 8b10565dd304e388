import { beforeEach, describe, expect, it } from 'vitest';
import type { CoverageStatus } from '../admin/status.ts';
import type { TargetVolume } from '../rdma/needle-fetcher.ts';
import type { ServerList } from '../volume-server/served-volumes.ts';
import { coverageGraceMs, VolumeCoverage } from './volume-coverage.ts';

let now: number;
let own: TargetVolume[];
let changes: { isOk: boolean; status: CoverageStatus }[];
let coverage: VolumeCoverage;

beforeEach(() => {
  now = 1000;
  own = [];
  changes = [];
  coverage = new VolumeCoverage({
    dirs: ['/data', '/more/'],
    volumes: () => own,
    onChange: (change) => void changes.push(change),
    now: () => now,
  });
});

function listOf(ids: readonly number[], dirs: readonly string[] = ['/data', '/more']): ServerList {
  const facts = { sizeBytes: 8, fileCount: 0, modifiedAtSeconds: 1, isTiered: false };
  return { volumes: ids.map((volumeId) => ({ volumeId, ...facts })), dirs };
}

function ownVolume(volumeId: number, changed: Partial<TargetVolume> = {}): TargetVolume {
  return { volumeId, version: 3, confirmed: true, collection: '', ...changed };
}

/** Polls each second, as a target does. */
function poll(list: ServerList, seconds: number): void {
  for (let second = 0; second < seconds; second += 1) {
    coverage.listed(list);
    now += 1000;
  }
}

const graceSeconds = coverageGraceMs / 1000;

describe('a target whose directories are its volume server’s', () => {
  it('says so once', () => {
    own = [ownVolume(1), ownVolume(2)];
    poll(listOf([1, 2]), 100);
    expect(changes.map(({ isOk }) => isOk)).toEqual([true]);
    expect(coverage.snapshot()).toMatchObject({ listed: 2, served: 2, overdue: 0 });
    expect(coverage.snapshot()?.detail).toBe(
      'all 2 volumes that the volume server lists are served',
    );
  });

  it('may load its volumes first', () => {
    poll(listOf([1, 2]), graceSeconds - 1);
    expect(changes).toEqual([]);
    own = [ownVolume(1), ownVolume(2)];
    poll(listOf([1, 2]), 100);
    expect(changes.map(({ isOk }) => isOk)).toEqual([true]);
  });

  it('need not serve what lies in a remote tier', () => {
    own = [ownVolume(1)];
    const { volumes, dirs } = listOf([1, 2]);
    poll({ volumes: volumes.map((v) => ({ ...v, isTiered: v.volumeId === 2 })), dirs }, 100);
    expect(changes.map(({ isOk }) => isOk)).toEqual([true]);
    expect(coverage.snapshot()).toMatchObject({ listed: 1, served: 1, tiered: 1, overdue: 0 });
  });
});

describe('a target with other directories', () => {
  it('says after the grace time that it serves none, and where its server’s volumes are', () => {
    const list = listOf([1, 2, 3, 4, 5, 6, 7], ['/srv/a']);
    poll(list, graceSeconds);
    expect(changes).toEqual([]);
    expect(coverage.snapshot()).toMatchObject({ listed: 7, served: 0, overdue: 7 });
    poll(list, 100);
    expect(changes.length).toBe(1);
    expect(changes[0]?.isOk).toBe(false);
    expect(changes[0]?.status.detail).toBe(
      "0 of 7 volumes that the volume server lists are in target.dirs; missing: 1, 2, 3, 4, 5, 6, 7; target.dirs is /data, /more, the volume server's directories are /srv/a: add /srv/a",
    );
  });

  it('names some of very many', () => {
    const ids = Array.from({ length: 1000 }, (_, index) => index + 1);
    poll(listOf(ids), graceSeconds + 1);
    expect(coverage.snapshot()?.missing).toMatchObject({ count: 1000 });
    expect(coverage.snapshot()?.missing.first.length).toBe(20);
    expect(coverage.snapshot()?.detail).toContain('20 and 980 more');
  });

  it('points elsewhere when the names agree', () => {
    poll(listOf([1], ['/more', '/data/']), graceSeconds + 1);
    expect(coverage.snapshot()?.detail).toContain('look at target.idx_dirs and the permissions');
  });

  it('says each change once, and when all is well again', () => {
    own = [ownVolume(1)];
    poll(listOf([1, 2, 3]), 30);
    own = [ownVolume(1), ownVolume(2)];
    poll(listOf([1, 2, 3]), 30);
    own = [ownVolume(1), ownVolume(2), ownVolume(3)];
    poll(listOf([1, 2, 3]), 30);
    expect(changes.map(({ isOk, status }) => [isOk, status.missing.first])).toEqual([
      [false, [2, 3]],
      [false, [3]],
      [true, []],
    ]);
  });
});

it('volumes whose files are there and that cannot be served are named as such', () => {
  own = [ownVolume(1), ownVolume(2, { version: 0 }), ownVolume(3, { confirmed: false })];
  poll(listOf([1, 2, 3]), graceSeconds + 1);
  expect(coverage.snapshot()).toMatchObject({
    listed: 3,
    served: 1,
    missing: { count: 0 },
    unserved: { count: 2, first: [2, 3] },
    overdue: 2,
    detail:
      '1 of 3 volumes that the volume server lists are served; in target.dirs, but not loaded or not confirmed: 2, 3',
  });
});

it('a server without volumes lacks nothing', () => {
  poll(listOf([]), 100);
  expect(changes.map(({ isOk }) => isOk)).toEqual([true]);
  expect(coverage.snapshot()?.detail).toBe('the volume server lists no volume');
});

it('before the first poll nothing is known', () => {
  expect(coverage.snapshot()).toBeUndefined();
});
