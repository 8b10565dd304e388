/** What the cache counts for a needle is what the arena gives it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { slabBytes } from '../../src/rdma/lease.ts';
import { SampleVolume } from './sample-volume.ts';
import { subjectKinds, whenServed } from './subjects.ts';

const sizes = [1, 256, 257, 320, 321, 4096, 5120, 5121, 40_961, 65_536, 65_537, 81_920, 1 << 20];

test.skipIf(!loadBinding().hasUcx)('a lease takes the slab that slabBytes says', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-slabs-'));
  const volume = new SampleVolume(dir, 3);
  for (const [index, bytes] of sizes.entries())
    volume.put(BigInt(index + 1), Buffer.alloc(bytes, 1));
  const kind = subjectKinds.find(({ name }) => name === 'ucx-tcp');
  const subject = await kind?.open({ dir, arenaBytes: 1 << 25 });
  if (subject === undefined) throw new Error('no such subject');
  try {
    await whenServed(subject.fetcher, 3);
    for (const [index, bytes] of sizes.entries()) {
      const result = await subject.fetcher.read({
        volumeId: 3,
        needleId: BigInt(index + 1),
        cookie: 1,
        offset: 0,
        length: 0,
        wholeBytesMax: 1 << 21,
        budgetBytes: 1 << 21,
        metadataOnly: false,
        timeoutMs: 5000,
      });
      expect(subject.client.stats().arenaBytesUsed).toBe(slabBytes(bytes));
      if (result.kind === 'needle') result.data?.lease.release();
    }
    expect(subject.client.stats()).toMatchObject({ arenaBytesUsed: 0, arenaRefusals: 0 });
  } finally {
    await subject.close();
    volume.close();
    rmSync(dir, { recursive: true });
  }
});
