import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JoinedBody } from './joined-body.ts';

it('is the same body, in pieces of some size', async () => {
  const sizes = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 9_000 })));
  await fc.assert(
    fc.asyncProperty(sizes, async (pieceSizes) => {
      const pieces = pieceSizes.map((size, i) => Buffer.alloc(size, i));
      const joined = await Readable.from(pieces).pipe(new JoinedBody()).toArray();
      const body = Buffer.concat(pieces);
      expect(Buffer.concat(joined)).toEqual(body);
      expect(joined.length).toBeLessThanOrEqual(1 + body.length / 2_048);
    }),
  );
});
