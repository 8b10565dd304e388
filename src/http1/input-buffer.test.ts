import fc from 'fast-check';
import { expect, it } from 'vitest';
import { InputBuffer } from './input-buffer.ts';

it('gives back what was appended, and never changes what it handed out', () => {
  const step = fc.oneof(
    fc.record({ append: fc.uint8Array({ minLength: 1, maxLength: 50 }) }),
    fc.record({ consume: fc.nat(60) }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const input = new InputBuffer();
      let expected = Buffer.alloc(0);
      const handedOut: { readonly view: Buffer; readonly copy: Buffer }[] = [];
      for (const each of steps) {
        if ('append' in each) {
          input.append(Buffer.from(each.append));
          expected = Buffer.concat([expected, each.append]);
        } else {
          const count = Math.min(each.consume, expected.length);
          input.consume(count);
          expected = expected.subarray(count);
        }
        const view = input.view();
        expect(view.equals(expected)).toBe(true);
        expect(input.length).toBe(expected.length);
        handedOut.push({ view, copy: Buffer.from(view) });
      }
      for (const { view, copy } of handedOut) expect(view.equals(copy)).toBe(true);
    }),
  );
});
