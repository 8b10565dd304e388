/** Volumes on disk through the native part: what is written is found, and what is wrong is said. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { RdmaMisuseError } from '../../src/rdma/errors.ts';
import {
  createVolume,
  formatFid,
  inspectVolume,
  listNeedles,
  listVolumes,
  openVolume,
  type VerifyProgress,
  verifyVolume,
} from '../../src/rdma/volume-files.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
let dir = '';
let folders = 0;

beforeEach(() => {
  folders += 1;
  dir = join(scratch.folder, `volumes-${folders}`);
  mkdirSync(dir);
});

describe('a volume writer', () => {
  test('appends, overwrites, deletes and vacuums', async () => {
    using writer = createVolume({ dir, volumeId: 3, collection: 'pics', replication: '012' });
    writer.append({ needleId: 1n, cookie: 0xffffffff, data: Buffer.from('first') });
    const second = writer.append({ needleId: 1n, cookie: 0xffffffff, data: Buffer.from('2nd') });
    writer.append({ needleId: 2n ** 64n - 1n, cookie: 0, data: Buffer.from('last id') });
    expect(second).toEqual({ offset: 48, size: 8 });
    expect(writer.delete(7n)).toBe(false);
    expect(writer.delete(2n ** 64n - 1n)).toBe(true);
    expect(writer.vacuum()).toMatchObject({ needlesKept: 1, needlesExpired: 0, bytesAfter: 48 });
    const volume = { dir, volumeId: 3, collection: 'pics' };
    expect(await listNeedles(volume, 10)).toEqual([
      { needleId: 1n, cookie: 0xffffffff, offset: 8, size: 8 },
    ]);
    const report = await inspectVolume(volume);
    expect(report.problems).toEqual([]);
    expect(report.superblock).toMatchObject({ replicaPlacement: 12, compactionRevision: 1 });
  });

  test('stores the fields that it is given', () => {
    using writer = createVolume({ dir, volumeId: 1, ttl: { count: 3, unit: 'year' } });
    writer.append({
      needleId: 1n,
      cookie: 1,
      data: Buffer.from('data'),
      name: 'größe.txt',
      mime: 'text/x-mime',
      pairs: { Color: 'red' },
      lastModifiedSeconds: 1_700_000_000,
      appendedAtNs: 77n,
      compressed: true,
      manifest: true,
    });
    const dat = readFileSync(join(dir, '1.dat'));
    const flags = dat.indexOf('data') + 4;
    expect(dat[flags]).toBe(0x81 | 0x3e);
    expect(dat.includes('größe.txt\x0btext/x-mime')).toBe(true);
    expect(dat.includes('{"Color":"red"}')).toBe(true);
    expect(dat.readUIntBE(dat.indexOf('text/x-mime') + 11, 5)).toBe(1_700_000_000);
    expect([...dat.subarray(dat.indexOf('{') - 4, dat.indexOf('{') - 2)]).toEqual([3, 6]);
  });

  test('goes on in a volume that exists, one writer at a time', async () => {
    const first = createVolume({ dir, volumeId: 1 });
    first.append({ needleId: 1n, cookie: 1, data: Buffer.from('one') });
    expect(() => openVolume({ dir, volumeId: 1 })).toThrow(/1\.dat: another writer/);
    first.close();
    first.close();
    using writer = openVolume({ dir, volumeId: 1 });
    writer.append({ needleId: 2n, cookie: 1, data: Buffer.from('two') });
    expect((await listNeedles({ dir, volumeId: 1 }, 10)).map((row) => row.needleId)).toEqual([
      1n,
      2n,
    ]);
  });

  test('says what cannot be done', () => {
    const writer = createVolume({ dir, volumeId: 1 });
    expect(() => createVolume({ dir, volumeId: 1 })).toThrow(/1\.dat: File exists/);
    expect(() => openVolume({ dir, volumeId: 2 })).toThrow(/2\.idx: No such file/);
    writer.close();
    expect(() => writer.delete(1n)).toThrow('the volume writer is closed');
    expect(() => writer.append({ needleId: 1n, cookie: 1, data: Buffer.from('x') })).toThrow(
      'the volume writer is closed',
    );
  });

  test.each([
    ['volumeId', () => createVolume({ dir, volumeId: 2 ** 32 })],
    ['replication', () => createVolume({ dir, volumeId: 1, replication: '999' })],
    ['ttl', () => createVolume({ dir, volumeId: 1, ttl: { count: 256, unit: 'day' } })],
    ['collection', () => createVolume({ dir, volumeId: 1, collection: '../x' })],
    ['countMax', () => listNeedles({ dir, volumeId: 1 }, -1)],
  ])('refuses a %s out of range', (what, call) => {
    expect(call).toThrow(RdmaMisuseError);
    expect(call).toThrow(new RegExp(what));
  });

  test('refuses a needle out of range and writes nothing', () => {
    using writer = createVolume({ dir, volumeId: 1 });
    const needle = { needleId: 1n, cookie: 1, data: Buffer.from('x') };
    expect(() => writer.append({ ...needle, needleId: -1n })).toThrow(/needleId/);
    expect(() => writer.append({ ...needle, cookie: 2 ** 32 })).toThrow(/cookie/);
    expect(() => writer.append({ ...needle, name: 'ü'.repeat(128) })).toThrow(/name has 256/);
    expect(() => writer.append({ ...needle, lastModifiedSeconds: 2 ** 40 })).toThrow(/lastMod/);
    expect(readFileSync(join(dir, '1.idx')).length).toBe(0);
  });
});

describe('looking at volumes', () => {
  test('lists the volumes of directories', async () => {
    createVolume({ dir, volumeId: 12, collection: 'a_b' }).close();
    createVolume({ dir, volumeId: 3 }).close();
    const found = await listVolumes([dir]);
    expect(found.map(({ volumeId, collection }) => [volumeId, collection])).toEqual([
      [3, ''],
      [12, 'a_b'],
    ]);
    expect(found[1]?.datPath).toBe(join(dir, 'a_b_12.dat'));
    expect(await listVolumes([join(dir, 'missing')])).toEqual([]);
  });

  test('verifies every needle and tells of its progress', async () => {
    using writer = createVolume({ dir, volumeId: 1 });
    for (let id = 1n; id <= 3n; id++) {
      writer.append({ needleId: id, cookie: 1, data: Buffer.from(`needle ${id}`) });
    }
    const path = join(dir, '1.dat');
    const dat = readFileSync(path);
    dat.write('N', dat.indexOf('needle 2'));
    writeFileSync(path, dat);
    const seen: VerifyProgress[] = [];
    const report = await verifyVolume({ dir, volumeId: 1 }, (progress) => seen.push(progress));
    expect(report).toMatchObject({ needlesChecked: 3, problemCount: 1 });
    expect(report.problems[0]).toMatchObject({
      needleId: 2n,
      text: expect.stringMatching('checksum'),
    });
    expect(seen.at(-1)).toMatchObject({ needlesDone: 3, needlesTotal: 3 });
  });

  test('rejects with the path of what is not there', async () => {
    await expect(inspectVolume({ dir, volumeId: 9 })).rejects.toThrow(/9: there is no such volume/);
    await expect(verifyVolume({ dir, volumeId: 9 })).rejects.toThrow(/9\.idx: No such file/);
    await expect(listNeedles({ dir, volumeId: 9 }, 1)).rejects.toThrow(/9\.idx/);
  });
});

test('a fid has whole bytes of the id, and eight digits of cookie', () => {
  expect(formatFid(3, 0x163n, 0x7037d6)).toBe('3,0163007037d6');
  expect(formatFid(3, 0n, 1)).toBe('3,0000000001');
});
