import { describe, expect, it } from 'vitest';
import { loadBinding, protocolVersion, refuseOtherVersion } from './binding.ts';
import { layoutVersion } from './shared-layout.ts';

describe('a native part', () => {
  it('of these sources is taken', () => {
    expect(loadBinding()).toMatchObject({ protocolVersion, layoutVersion });
  });

  it.each([
    [{ protocolVersion: protocolVersion + 1, layoutVersion }, /has protocol version 2/],
    [{ protocolVersion, layoutVersion: layoutVersion + 1 }, /memory layout 3, this program/],
    [{ protocolVersion, layoutVersion: undefined }, /memory layout unknown.*npm run build:native/],
  ])('with %o is refused before it is used', (versions, says) => {
    expect(() => refuseOtherVersion(versions)).toThrow(says);
  });
});
