/**
 * Volumes that change while needles of them are cached and read: vacuum, delete, overwrite, unmount, time to live. A read
 * that begins after a change must show it; until then none may show anything that never was.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ChangingVolumes,
  deleteFrom,
  expectSound,
  seenAfter,
  startChangingVolumes,
  transports,
  WatchedVolume,
  writeTo,
} from './changing-volumes-fixture.ts';

const volumeIds = [1, 2, 3, 4, 5, 6, 7, 8, 10];
const ttlVolumeId = 9;
const minute = { count: 1, unit: 'minute' } as const;
/** The proxy leaves a needle to the volume server this long before its end. */
const marginMs = 2_000;

describe.each(transports)('over %s, of a volume', (transport) => {
  let stack: ChangingVolumes;
  const opened: WatchedVolume[] = [];

  beforeAll(async () => {
    stack = await startChangingVolumes(transport, volumeIds);
    stack.server.create(ttlVolumeId, { ttl: minute });
  });

  afterAll(async () => {
    for (const volume of opened) volume.close();
    await stack.close();
  });

  function filledVolume(volumeId: number, mayGoBack = false): WatchedVolume {
    const volume = new WatchedVolume({ ...stack, volumeId, needles: 5, mayGoBack });
    opened.push(volume);
    for (const needle of volume.needles) writeTo(stack.server, needle);
    return volume;
  }

  test('that is vacuumed, what was overwritten and deleted before stays as it is', async () => {
    const volume = filledVolume(1);
    const watch = await volume.whileRead(() => {
      for (const needle of volume.needles) writeTo(stack.server, needle);
      deleteFrom(stack.server, volume.needle(1));
      for (let i = 0; i < 5; i += 1) stack.server.volumes.get(1)?.vacuum();
    });
    expectSound(watch);
    expect(seenAfter(watch, volume.needle(1))).toEqual(new Set(['absent']));
    expect(seenAfter(watch, volume.needle(0))).toEqual(new Set(['content']));
    await volume.until(volume.needle(0), ({ source }) => source === 'cache');
  });

  test('each change between two vacuums is seen', async () => {
    const volume = filledVolume(2);
    const watch = await volume.whileRead(async () => {
      for (let i = 0; i < 20; i += 1) {
        for (const needle of volume.needles) {
          if (needle.isAlive && i % 3 === 1) deleteFrom(stack.server, needle);
          else writeTo(stack.server, needle);
          expect((await volume.read(needle)).violation).toBeUndefined();
        }
        stack.server.volumes.get(2)?.vacuum();
        for (const needle of volume.needles) await volume.read(needle);
      }
    });
    expectSound(watch);
  });

  test('a needle that is deleted is gone from the next read on', async () => {
    const volume = filledVolume(3);
    const [needle, kept] = [volume.needle(0), volume.needle(1)];
    const watch = await volume.whileRead(() => deleteFrom(stack.server, needle));
    expectSound(watch);
    expect(seenAfter(watch, needle)).toEqual(new Set(['absent']));
    expect(seenAfter(watch, kept)).toEqual(new Set(['content']));
    expect((await volume.read(kept)).source).toBe('cache');
  });

  test('a needle that is overwritten is the new one from the next read on', async () => {
    const volume = filledVolume(4);
    const needle = volume.needle(0);
    const watch = await volume.whileRead(() => writeTo(stack.server, needle));
    expectSound(watch);
    const read = await volume.until(needle, ({ source }) => source === 'cache');
    expect(read.seen).toEqual({ kind: 'content', versions: [2] });
  });

  test('that is unmounted, nothing is served two intervals later, and all of it when it is back', async () => {
    const volume = filledVolume(5, true);
    const watch = await volume.whileRead(async () => {
      const versions = volume.needles.map((needle) => needle.beginDelete(performance.now()));
      stack.server.unmount(5);
      const seenFrom = performance.now() + stack.unmountMsMax;
      for (const [index, needle] of volume.needles.entries()) {
        needle.acknowledge(versions[index] as number, seenFrom);
      }
      await pause(stack.unmountMsMax);
    });
    expectSound(watch);
    expect(new Set(watch.after.map(({ source }) => source))).toEqual(new Set(['passthrough']));
    for (const needle of volume.needles) writeTo(stack.server, needle);
    stack.server.mount(5);
    const back = await volume.until(volume.needle(0), ({ source }) => source === 'cache');
    expect(back.seen).toMatchObject({ kind: 'content', versions: [3] });
  });

  test.each([
    ['a needle with a ttl', 6],
    ['a needle of a volume with a ttl', ttlVolumeId],
  ])('%s is left to the volume server before its end, and gone after it', async (_, volumeId) => {
    const volume = new WatchedVolume({ ...stack, volumeId, needles: 2 });
    opened.push(volume);
    const [needle, fresh] = [volume.needle(0), volume.needle(1)];
    writeTo(stack.server, fresh);
    await volume.until(fresh, ({ source }) => source === 'cache');
    const leftMs = marginMs + 2_500;
    const endsAt = performance.now() + leftMs;
    const appendedAtMs = Date.now() - 60_000 + leftMs;
    const { version, data } = needle.beginWrite(performance.now(), () => 0);
    const etag = stack.server.volumes.get(volumeId)?.put(needle.needleId, data, {
      ...(volumeId === ttlVolumeId ? {} : { ttl: minute }),
      lastModifiedSeconds: Math.floor(appendedAtMs / 1000),
      appendedAtNs: BigInt(appendedAtMs) * 1_000_000n,
    });
    needle.wrote(etag as string);
    needle.acknowledge(version, performance.now());
    const cached = await volume.until(needle, ({ source }) => source === 'cache');
    expect(cached.violation).toBeUndefined();
    // An origin keeps the proxy's own margin: for it the needle ends as early.
    needle.beginDelete(endsAt - marginMs);
    const passed = await volume.until(needle, ({ reason }) => reason === 'ttl');
    expect(passed.begunAt).toBeGreaterThan(endsAt - marginMs - 100);
    expect(passed.source).toBe('passthrough');
    needle.acknowledge(2, endsAt);
    await pause(endsAt - performance.now() + 20);
    const gone = await volume.read(needle);
    expect([gone.seen.kind, gone.source, gone.violation]).toEqual([
      'absent',
      'passthrough',
      undefined,
    ]);
  });

  test('whose index lost its last rows, what they named is gone and the rest is served', async () => {
    const volume = filledVolume(7);
    const lost = volume.needle(4);
    const watch = await volume.whileRead(() => {
      const version = lost.beginDelete(performance.now());
      const served = stack.server.volumes.get(7);
      served?.truncateIndex(served.idxBytes - 16);
      lost.acknowledge(version, performance.now());
    });
    expectSound(watch);
    expect(seenAfter(watch, lost)).toEqual(new Set(['absent']));
    expect(seenAfter(watch, volume.needle(0))).toEqual(new Set(['content']));
    await volume.until(volume.needle(0), ({ source }) => source === 'cache');
  });

  test('whose data file was cut, no read shows anything but what was written', async () => {
    const volume = filledVolume(8);
    const uncached = new WatchedVolume({ ...stack, volumeId: 8, needles: 7 }).needle(6);
    writeTo(stack.server, uncached);
    const watch = await volume.whileRead(() => {
      const served = stack.server.volumes.get(8);
      served?.truncateData(served.dataBytes - 24);
    });
    expectSound(watch);
    // The index shows nothing of it: what was read before stays true, what is read now is the volume server's to answer.
    const read = await volume.read(uncached);
    expect([read.source, read.reason, read.answer.status]).toEqual(['passthrough', 'corrupt', 500]);
  });

  test('a byte of which is changed on the disk, no read shows it', async () => {
    const volume = filledVolume(10);
    const needle = new WatchedVolume({ ...stack, volumeId: 10, needles: 6 }).needle(5);
    const data = randomBytes(20_000);
    stack.server.put(10, needle.needleId, data);
    const file = join(stack.dirs[0] as string, '10.dat');
    const bytes = readFileSync(file);
    const at = bytes.indexOf(data) + 10_000;
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    writeFileSync(file, bytes);
    const read = await volume.read(needle);
    expect([read.source, read.reason, read.answer.status]).toEqual(['passthrough', 'corrupt', 500]);
  });
});
