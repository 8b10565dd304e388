/** One suite for every way in which connect() reads: what src/client promises. */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NeedleClient } from '../../src/client/needle-client.ts';
import type { NeedleContent } from '../../src/client/needle-content.ts';
import { NeedleReadError } from '../../src/client/read-error.ts';
import { RdmaMisuseError } from '../../src/rdma/errors.ts';
import { formatFid } from '../../src/rdma/volume-files.ts';
import { bytesOf, clientWays, mebibyte, VolumeFolder, volumeId, whenClient } from './client-rig.ts';

/** Compared by hash: a difference in a megabyte is not worth printing. */
function hash(bytes: Uint8Array): string {
  return `${bytes.length}:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function failureOf(reading: Promise<NeedleContent>): Promise<NeedleReadError> {
  const ended = await reading.catch((error: unknown) => error);
  if (ended instanceof NeedleReadError) return ended;
  throw new Error(`no NeedleReadError: ${String(ended)}`);
}

describe.each(clientWays)('the client over $name', ({ open }) => {
  let folder: VolumeFolder;
  let client: NeedleClient;
  let stop: () => Promise<void>;
  const small = bytesOf(4_096, 1);
  const large = bytesOf(3 * mebibyte + 5, 2);
  const text = Buffer.from('many words, '.repeat(1_000));

  beforeEach(async () => {
    folder = new VolumeFolder();
    folder.put(1n, small, {
      name: 'grün.txt',
      mime: 'text/plain',
      pairs: { 'Seaweed-Colour': 'blue' },
      lastModifiedSeconds: 1_700_000_000,
    });
    folder.put(2n, large);
    folder.put(3n, gzipSync(text), { compressed: true });
    ({ client, stop } = await open(folder.dir));
  });

  afterEach(async () => {
    await client.close();
    expect(client.stats()).toMatchObject({ leasesOutstanding: 0, leaseLeaks: 0 });
    await stop();
    folder.remove();
  });

  const read = (
    needleId: bigint | number,
    more: { offset?: number; size?: number; decode?: boolean } = {},
  ): Promise<NeedleContent> => client.readNeedle({ volumeId, needleId, cookie: 1, ...more });

  it('reads a whole needle with everything that is known about it', async () => {
    using content = await read(1n);
    expect(hash(content.bytes)).toBe(hash(small));
    expect(content).toMatchObject({ offset: 0, totalBytes: small.length, decoded: false });
    expect(content.needle).toMatchObject({
      volumeId,
      needleId: 1n,
      cookie: 1,
      storedBytes: small.length,
      name: 'grün.txt',
      mime: 'text/plain',
      lastModified: new Date(1_700_000_000_000),
      ttlLeftMs: undefined,
      compressed: false,
      manifest: false,
      volumeVersion: 3,
    });
    expect(JSON.parse(content.needle.pairs)).toEqual({ 'Seaweed-Colour': 'blue' });
    expect(content.needle.appendedAtNs).toBeGreaterThan(0n);
    expect(content.target).toBe(client.targets[0]?.address);
    expect(content.transport).not.toBe('');
  });

  it('takes a fid, and a number for the needle’s id', async () => {
    using byFid = await client.readNeedle({ fid: formatFid(volumeId, 2n, 1) });
    expect(hash(byFid.bytes)).toBe(hash(large));
    using byNumber = await read(2);
    expect(byNumber.totalBytes).toBe(large.length);
  });

  it('reads the part asked for, cut at the end, and nothing past it', async () => {
    for (const [needleId, whole] of [
      [1n, small],
      [2n, large],
    ] as const) {
      const end = whole.length;
      for (const [offset, size] of [
        [0, 1],
        [17, 1_000],
        [end - 3, 100],
        [0, end],
        [5, undefined],
      ] as const) {
        using part = await read(needleId, { offset, ...(size === undefined ? {} : { size }) });
        const expected = whole.subarray(offset, offset + (size ?? end));
        expect([part.offset, hash(part.bytes)]).toEqual([offset, hash(expected)]);
        expect(part.totalBytes).toBe(end);
      }
      using past = await read(needleId, { offset: end + 7, size: 9 });
      expect([past.offset, past.bytes.length, past.totalBytes]).toEqual([end, 0, end]);
      using none = await read(needleId, { size: 0 });
      expect([none.bytes.length, none.totalBytes]).toEqual([0, end]);
    }
  });

  it('gives stored bytes of a compressed needle, and decoded ones when asked', async () => {
    using stored = await read(3n);
    expect(stored).toMatchObject({ decoded: false, needle: { compressed: true } });
    expect(hash(stored.bytes)).toBe(hash(gzipSync(text)));
    using decoded = await read(3n, { decode: true });
    expect(decoded).toMatchObject({ decoded: true, offset: 0, totalBytes: text.length });
    expect(hash(decoded.bytes)).toBe(hash(text));
    using part = await read(3n, { decode: true, offset: 100, size: 24 });
    expect(Buffer.from(part.bytes).toString()).toBe(text.toString('utf8', 100, 124));
    using plain = await read(1n, { decode: true, offset: 10, size: 20 });
    expect([plain.decoded, hash(plain.bytes)]).toEqual([false, hash(small.subarray(10, 30))]);
  });

  it('says that a needle is damaged when its gzip is', async () => {
    folder.put(4n, gzipSync(text).subarray(0, 40), { compressed: true });
    const failure = await failureOf(read(4n, { decode: true }));
    expect(failure).toMatchObject({ status: 'corrupt', fault: 'target' });
    expect(client.stats().leasesOutstanding).toBe(0);
  });

  it('says why there are no bytes, whose fault it is, and whether to try again', async () => {
    folder.put(5n, small);
    folder.volume.delete(5n);
    folder.put(6n, small);
    folder.volume.flipDataByte(6n);
    expect(await failureOf(read(99n))).toMatchObject({ status: 'not_found', retryable: false });
    expect(await failureOf(read(5n))).toMatchObject({ status: 'deleted', fault: 'needle' });
    expect(await failureOf(read(6n))).toMatchObject({ status: 'corrupt', fault: 'target' });
    const cookie = 0xdeadbeef;
    const wrong = await failureOf(client.readNeedle({ volumeId, needleId: 1n, cookie }));
    expect(wrong).toMatchObject({ status: 'cookie_mismatch', volumeId, needleId: 1n });
    expect(wrong.message).not.toContain('deadbeef');
  });

  it('tells "no memory" from "too large", and recovers when needles are released', async () => {
    folder.put(7n, Buffer.alloc(33 * mebibyte, 7));
    expect(await failureOf(read(7n))).toMatchObject({ status: 'too_large', retryable: false });
    const held: NeedleContent[] = [];
    let failure: unknown;
    while (failure === undefined && held.length < 20) {
      await read(2n).then(
        (content) => held.push(content),
        (error: unknown) => {
          failure = error;
        },
      );
    }
    expect(failure).toMatchObject({ status: 'no_slab', fault: 'client', retryable: true });
    for (const content of held) expect(hash(content.bytes)).toBe(hash(large));
    for (const content of held) content.release();
    using again = await read(2n);
    expect(again.totalBytes).toBe(large.length);
  });

  it('a released needle is gone, a copy of it is not, and releasing twice is harmless', async () => {
    const content = await read(1n);
    const copy = content.copy();
    content.release();
    content.release();
    content[Symbol.dispose]();
    expect(() => content.bytes).toThrow(RdmaMisuseError);
    expect(() => content.copy()).toThrow(RdmaMisuseError);
    expect(hash(copy)).toBe(hash(small));
    // Of a Buffer slice() would be a view of the same memory.
    using other = await read(1n);
    expect(other.bytes.slice(0, 4).buffer.byteLength).toBe(4);
    expect(content.needle.name).toBe('grün.txt');
  });

  it('keeps many reads apart', async () => {
    for (let id = 10; id < 42; id += 1) folder.put(BigInt(id), bytesOf(id * 100, id));
    const ids = Array.from({ length: 320 }, (_, index) => 10 + (index % 32));
    const contents = await Promise.all(ids.map((id) => read(id)));
    for (const [index, content] of contents.entries()) {
      const id = ids[index] as number;
      expect(hash(content.bytes)).toBe(hash(bytesOf(id * 100, id)));
      content.release();
    }
  });

  it('an aborted read rejects with the reason, and its memory goes home by itself', async () => {
    const before = new AbortController();
    before.abort(new Error('not wanted'));
    const options = { volumeId, needleId: 2n, cookie: 1 };
    await expect(client.readNeedle({ ...options, signal: before.signal })).rejects.toThrow(
      'not wanted',
    );
    for (let round = 0; round < 5; round += 1) {
      const during = new AbortController();
      const reading = client.readNeedle({ ...options, signal: during.signal });
      during.abort();
      await expect(reading).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    }
    // Answers come in order: when a later read is here, the aborted ones were.
    using after = await read(2n);
    expect(hash(after.bytes)).toBe(hash(large));
    await untilLeases(1);
    const late = new AbortController();
    using unharmed = await client.readNeedle({ ...options, signal: late.signal });
    late.abort();
    expect(hash(unharmed.bytes)).toBe(hash(large));
  });

  async function untilLeases(count: number): Promise<void> {
    while (client.stats().leasesOutstanding > count) await pause(1);
    expect(client.stats().leasesOutstanding).toBe(count);
  }

  it('close() ends reads in flight, leaves what is held, and nothing works after it', async () => {
    const held = await read(2n);
    const inFlight = Array.from({ length: 50 }, () => read(2n).catch((error: unknown) => error));
    const closing = client.close();
    expect(client.close()).toBe(closing);
    for (const ended of await Promise.all(inFlight)) {
      if (ended instanceof NeedleReadError) expect(ended.status).toMatch(/^(closed|no_slab)$/);
      else (ended as NeedleContent).release();
    }
    await closing;
    expect(hash(held.bytes)).toBe(hash(large));
    await expect(read(2n)).rejects.toThrow(RdmaMisuseError);
    await expect(client.ping()).rejects.toThrow(RdmaMisuseError);
    held.release();
    held.release();
  });

  it('lists volumes, pings, and tells of changes until nobody listens', async () => {
    await whenClient(client, () => client.volumes().some(({ confirmed }) => confirmed));
    const [target] = client.targets;
    expect(client.volumes()).toMatchObject([
      { volumeId, collection: '', confirmed: true, target: target?.address },
    ]);
    expect(await client.ping()).toMatchObject([{ ok: true, target: target?.address }]);
    expect(target?.state.kind).toBe('up');
    let changes = 0;
    const end = client.onChange(() => {
      changes += 1;
    });
    await client.close();
    expect(changes).toBeGreaterThan(0);
    const seen = changes;
    end();
    expect(changes).toBe(seen);
    expect(client.targets[0]?.state).toMatchObject({ kind: 'down', status: 'closed' });
  });
});

describe('a needle that is forgotten', () => {
  it('is counted, and its memory comes back', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const folder = new VolumeFolder();
    folder.put(1n, bytesOf(1_000, 1));
    const { client } = await (clientWays[0] as (typeof clientWays)[0]).open(folder.dir);
    await (async () => {
      await client.readNeedle({ volumeId, needleId: 1n, cookie: 1 });
    })();
    expect(client.stats().leasesOutstanding).toBe(1);
    for (let round = 0; round < 200 && client.stats().leaseLeaks === 0; round += 1) {
      collect();
      await pause(5);
    }
    expect(client.stats()).toMatchObject({ leaseLeaks: 1, leasesOutstanding: 0 });
    await client.close();
    folder.remove();
  });
});
