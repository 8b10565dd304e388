/** Volumes whose files are others all at once, while needles of them are cached and read: replaced, created anew, moved. */
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SampleVolume } from '../contract/sample-volume.ts';
import type { TestVolumeServer } from '../history/volume-server.ts';
import {
  type ChangingVolumes,
  expectSound,
  seenAfter,
  startChangingVolumes,
  transports,
  WatchedVolume,
  writeTo,
} from './changing-volumes-fixture.ts';

describe.each(transports)('over %s', (transport) => {
  let stack: ChangingVolumes;
  const opened: WatchedVolume[] = [];

  beforeAll(async () => {
    stack = await startChangingVolumes(transport, [2, 3]);
  });

  afterAll(async () => {
    for (const volume of opened) volume.close();
    await stack.close();
  });

  function filledVolume(volumeId: number): WatchedVolume {
    const volume = new WatchedVolume({ ...stack, volumeId, needles: 5 });
    opened.push(volume);
    for (const needle of volume.needles) writeTo(stack.server, needle);
    return volume;
  }

  test('a data directory in the place of another shows its own bytes, equal in all but them', async () => {
    const dir = stack.dirs[1] as string;
    const old = stack.server.create(1, { dir });
    const volume = filledVolume(1);
    const aside = join(stack.folder, 'aside');
    mkdirSync(aside);
    const watch = await volume.whileRead(() => {
      const next = new SampleVolume(aside, 1);
      stack.server.adopt(1, next);
      const versions = volume.needles.map((needle) => {
        const { version, data } = needle.beginWrite(performance.now(), () => 0);
        needle.wrote(next.put(needle.needleId, data));
        return version;
      });
      expect([next.idxBytes, next.dataBytes]).toEqual([old.idxBytes, old.dataBytes]);
      old.close();
      renameSync(dir, join(stack.folder, 'gone'));
      renameSync(aside, dir);
      for (const [index, needle] of volume.needles.entries()) {
        needle.acknowledge(versions[index] as number, performance.now());
      }
    });
    expectSound(watch);
    for (const needle of volume.needles) {
      expect(seenAfter(watch, needle)).toEqual(new Set(['content']));
      await volume.until(needle, ({ source }) => source === 'cache');
    }
  });

  test('a volume that is deleted and created anew has nothing of the old one', async () => {
    const volume = filledVolume(2);
    const watch = await volume.whileRead(() => {
      const versions = volume.needles.map((needle) => needle.beginDelete(performance.now()));
      const old = stack.server.volumes.get(2) as SampleVolume;
      old.close();
      old.remove();
      for (const [index, needle] of volume.needles.entries()) {
        needle.acknowledge(versions[index] as number, performance.now());
      }
      stack.server.create(2);
      // As many rows as before, and not one needle in common but this.
      for (let id = 100n; id < 104n; id += 1n) {
        stack.server.volumes.get(2)?.put(id, Buffer.from('of another'));
      }
      writeTo(stack.server, volume.needle(0));
    });
    expectSound(watch);
    expect(seenAfter(watch, volume.needle(0))).toEqual(new Set(['content']));
    for (const needle of volume.needles.slice(1)) {
      expect(seenAfter(watch, needle)).toEqual(new Set(['absent']));
    }
    await volume.until(volume.needle(0), ({ source }) => source === 'cache');
  });

  test.skipIf(transport === 'inproc')('a volume that moved is read where it is now', async () => {
    const other = stack.other as TestVolumeServer;
    const volume = filledVolume(3);
    const here = stack.server.volumes.get(3) as SampleVolume;
    const watch = await volume.whileRead(async () => {
      here.close();
      for (const ext of ['.dat', '.idx', '.vif']) {
        copyFileSync(join(stack.dirs[0] as string, `3${ext}`), join(stack.otherDir, `3${ext}`));
      }
      other.adopt(3, SampleVolume.open(stack.otherDir, 3));
      await listed(other, 3);
      stack.server.forwardReads(3, other.url);
      here.remove();
      for (const needle of volume.needles.slice(1)) writeTo(other, needle);
    });
    expectSound(watch);
    for (const needle of volume.needles) {
      const read = await volume.until(needle, ({ source }) => source === 'cache');
      expect(read.violation).toBeUndefined();
    }
    writeTo(other, volume.needle(0));
    expect(await volume.read(volume.needle(0))).toMatchObject({
      source: 'rdma',
      seen: { kind: 'content', versions: [2] },
    });
  });
});

async function listed(server: TestVolumeServer, volumeId: number): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    const answer = await fetch(`${server.url}/status`);
    const { Volumes } = (await answer.json()) as { Volumes: { Id: number }[] | null };
    if (Volumes?.some(({ Id }) => Id === volumeId)) return;
    await pause(10);
  }
  throw new Error(`volume ${volumeId} is not listed`);
}
