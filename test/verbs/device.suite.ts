/** Shows by the device's own counters that bytes went over it, and that those of long needles are not copied. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { bytesOf, mebibyte, volumeId } from '../contract/client-rig.ts';
import { SampleVolume } from '../contract/sample-volume.ts';
import { readOf, type Subject, subjectKinds, whenServed } from '../contract/subjects.ts';
import { counted } from './device-counters.ts';

/** From UCX's default for a RoCE device on an Ethernet of 1,500 bytes. */
const pathMtuBytes = 1_024;
const device = process.env['SEAWEED_RDMA_VERBS_DEVICE'] ?? '';
const folders: string[] = [];
const subjects: Subject[] = [];

afterEach(async () => {
  for (const subject of subjects.splice(0)) await subject.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

it.each(subjectKinds)(
  'needles of 1 B to 64 MiB come over $name, and the device counts their packets',
  async ({ name, open }) => {
    const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-verbs-'));
    folders.push(dir);
    const volume = new SampleVolume(dir, volumeId);
    const sizes = [1, 4_096, 65_536, mebibyte, 8 * mebibyte + 3, 64 * mebibyte - 1];
    for (const [at, size] of sizes.entries()) volume.put(BigInt(at + 1), bytesOf(size, at));
    volume.close();
    const subject = await open({ dir, arenaBytes: 192 * mebibyte });
    subjects.push(subject);
    await whenServed(subject.fetcher, volumeId);
    expect(subject.fetcher.state).toMatchObject({ kind: 'up', transport: name });
    for (const [at, size] of sizes.entries()) {
      const before = counted(device, 'sent_pkts');
      const messagesBefore = counted(device, 'rdma_sends');
      const result = await subject.fetcher.read(readOf(BigInt(at + 1), { timeoutMs: 60_000 }));
      if (result.kind !== 'needle' || result.data === undefined)
        throw new Error(`no needle of ${size} bytes`);
      expect(result.data.view.equals(bytesOf(size, at))).toBe(true);
      result.data.lease.release();
      const least = Math.max(1, size / pathMtuBytes);
      await expect.poll(() => counted(device, 'sent_pkts') - before).toBeGreaterThanOrEqual(least);
      // The device itself puts a long needle where it is read: no message carries a byte of it that would be copied.
      if (size >= mebibyte) expect(counted(device, 'rdma_sends') - messagesBefore).toBeLessThan(8);
    }
  },
);
