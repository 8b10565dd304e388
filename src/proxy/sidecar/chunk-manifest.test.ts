/** The lists here are as filer_pb writes them: marshalled by hand, field by field. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { manifestLookBytes, startsChunkManifest } from './chunk-manifest.ts';

/** offset 8388608, size 8388608, modified_ts_ns, e_tag, fid { 3, 1000, fixed32 }. */
const chunk = Buffer.from(
  '1080808004188080800420f0b1a2c3e4fa8fd4172a04616263643a0a080310e8071d01020304',
  'hex',
);
const entry = Buffer.concat([Buffer.from([0x0a, chunk.length]), chunk]);

test('a list of chunks is one, however long', () => {
  expect(startsChunkManifest(entry)).toBe(true);
  const long = Buffer.concat(Array.from({ length: 1000 }, () => entry));
  expect(startsChunkManifest(long.subarray(0, manifestLookBytes))).toBe(true);
});

test('what only begins like one is none', () => {
  expect(startsChunkManifest(Buffer.alloc(0))).toBe(false);
  expect(startsChunkManifest(Buffer.from('\nline\nline\n'))).toBe(false);
  expect(startsChunkManifest(entry.subarray(0, -1))).toBe(false);
  expect(startsChunkManifest(Buffer.concat([entry, Buffer.from('x')]))).toBe(false);
  // Without a size, and without an id.
  expect(startsChunkManifest(Buffer.from('0a0c3a0a080310e8071d01020304', 'hex'))).toBe(false);
  expect(startsChunkManifest(Buffer.from('0a05188080800410', 'hex'))).toBe(false);
});

test('bytes of files are none, and no bytes are too much', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      expect(startsChunkManifest(Buffer.from([0x0a, ...bytes]))).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});
