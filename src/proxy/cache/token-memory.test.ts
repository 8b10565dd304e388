import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyReadToken } from '../../needle/token/read-token.ts';
import { signReadToken } from '../../needle/token/sign-read-token.ts';
import { TokenMemory } from './token-memory.ts';

const [fid, now] = ['3,01637037d6', 1_700_000_000];

describe('TokenMemory', () => {
  it('allows what a token that it remembers allows, and nothing else', () => {
    const memory = new TokenMemory(10);
    const token = signReadToken('key', fid, now + 10);
    for (let i = 0; i < 2; i += 1) {
      expect(memory.verify(token, 'key', fid, now)).toBe(true);
      expect(memory.verify(token, 'key', '3,02637037d6', now)).toBe(false);
      expect(memory.verify(token, 'key', fid, now + 10)).toBe(false);
      expect(memory.verify(`${token}A`, 'key', fid, now)).toBe(false);
    }
    expect(memory.size).toBe(1);
  });

  it('forgets all tokens with their key', () => {
    const memory = new TokenMemory(10);
    const token = signReadToken('key', fid, now + 10);
    expect(memory.verify(token, 'key', fid, now)).toBe(true);
    expect(memory.verify(token, 'other', fid, now)).toBe(false);
    expect(memory.size).toBe(0);
    expect(memory.verify(token, 'key', fid, now)).toBe(true);
  });

  it('remembers no token that allows nothing, and no more than it may', () => {
    const memory = new TokenMemory(2);
    expect(memory.verify(signReadToken('other', fid, now + 10), 'key', fid, now)).toBe(false);
    expect(memory.verify(signReadToken('key', fid, now - 10), 'key', fid, now)).toBe(false);
    expect(memory.size).toBe(0);
    for (let i = 1; i < 9; i += 1)
      memory.verify(signReadToken('key', fid, now + i), 'key', fid, now);
    expect(memory.size).toBe(2);
    const none = new TokenMemory(0);
    expect(none.verify(signReadToken('key', fid, now + 1), 'key', fid, now)).toBe(true);
    expect(none.size).toBe(0);
  });

  it('says what verifyReadToken says, in any order of requests', () => {
    const request = fc.record({
      key: fc.constantFrom('a', 'b'),
      signedBy: fc.constantFrom('a', 'b'),
      signedFid: fc.constantFrom('1,01', '2,02'),
      fid: fc.constantFrom('1,01', '2,02'),
      expires: fc.integer({ min: now, max: now + 3 }),
      nowSeconds: fc.integer({ min: now, max: now + 3 }),
      change: fc.constantFrom('', '', '', 'x', '.'),
    });
    fc.assert(
      fc.property(fc.array(request, { maxLength: 40 }), (requests) => {
        const memory = new TokenMemory(3);
        for (const {
          key,
          signedBy,
          signedFid,
          expires,
          nowSeconds,
          change,
          ...asked
        } of requests) {
          const token = signReadToken(signedBy, signedFid, expires) + change;
          const wanted = verifyReadToken(token, key, asked.fid, nowSeconds);
          expect(memory.verify(token, key, asked.fid, nowSeconds)).toBe(wanted);
        }
      }),
    );
  });
});
