import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyReadToken } from './read-token.ts';

const key = 'read-secret';
const fid = '3,01637037d6';
const now = 1_700_000_000;

function segment(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return Buffer.from(text).toString('base64url');
}

/** A signed token; a string is taken as raw JSON text. */
function sign(claims: unknown, header: unknown = { alg: 'HS256', typ: 'JWT' }, hash = 'sha256') {
  const signed = `${segment(header)}.${segment(claims)}`;
  return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`;
}

function verified(token: string): boolean {
  return verifyReadToken(token, key, fid, now);
}

describe('verifyReadToken', () => {
  it.each([
    ['HS256', 'sha256'],
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ])('accepts %s', (alg, hash) => {
    expect(verified(sign({ fid }, { alg }, hash))).toBe(true);
  });

  it.each([
    [{ fid, exp: now + 1 }],
    [{ fid, exp: String(now + 1) }],
    [{ fid, exp: now + 1.5 }],
    [{ fid, exp: null, nbf: null }],
    [{ fid, nbf: now }],
    [{ fid, nbf: `${now}.9` }],
    [{ fid, iat: now * 1000, exp: now * 1000 }],
    [{ fid, iss: 'i', sub: 's', jti: null, aud: ['a', 'b'] }],
    [{ fid, aud: 'a', other: { fid: 5 } }],
    [{ FID: fid }],
    [{ fId: fid, fid2: 'x' }],
  ])('accepts the claims %j', (claims) => {
    expect(verified(sign(claims))).toBe(true);
  });

  it.each([
    [{ fid, exp: now }],
    [{ fid, exp: now + 0.9 }],
    [{ fid, exp: `${now}` }],
    [{ fid, exp: 'x' }],
    [{ fid, exp: '' }],
    [{ fid, exp: '1e99' }],
    [{ fid, exp: 1e300 }],
    [{ fid, exp: true }],
    [{ fid, exp: [now + 1] }],
    [{ fid, nbf: now + 1 }],
    [{ fid, iat: 'x' }],
    [{ fid, iss: 5 }],
    [{ fid, sub: {} }],
    [{ fid, jti: ['x'] }],
    [{ fid, aud: 5 }],
    [{ fid, aud: ['a', null] }],
    [{ fid: '3,01637037d7' }],
    [{ fid: '03,01637037d6' }],
    [{ fid: null }],
    [{ fid: [fid] }],
    [{}],
    [[]],
    ['null'],
    ['{'],
    // Keys that come twice, or that Go folds to ASCII, are left to Go.
    [`{"fid":"${fid}","fid":"${fid}"}`],
    [`{"fid":"${fid}","Fid":"${fid}"}`],
    [`{"fid":"${fid}","i\u017fs":5}`],
  ])('refuses the claims %j', (claims) => {
    expect(verified(sign(claims))).toBe(false);
  });

  it.each([
    [{ alg: 'none' }],
    [{ alg: 'hs256' }],
    [{ alg: 'RS256' }],
    [{ alg: 5 }],
    [{}],
    [[]],
    ['{"alg":"HS256","alg":"HS256"}'],
  ])('refuses the header %j', (header) => {
    expect(verified(sign({ fid }, header))).toBe(false);
  });

  it('refuses a hash that is not the one named', () => {
    expect(verified(sign({ fid }, { alg: 'HS512' }, 'sha256'))).toBe(false);
  });

  it.each([
    (token: string) => `${token}=`,
    (token: string) => `${token}.`,
    (token: string) => `.${token}`,
    (token: string) => `${token}.x`,
    (token: string) => ` ${token}`,
    (token: string) => token.replaceAll('-', '+').replaceAll('_', '/').concat('+'),
    (token: string) => token.slice(0, token.lastIndexOf('.') + 1),
    (token: string) => token.slice(0, token.lastIndexOf('.')),
    () => '',
    () => '..',
  ])('refuses a token that is not in form: %s', (spoil) => {
    expect(verified(spoil(sign({ fid })))).toBe(false);
  });

  it('refuses every other key and every changed byte', () => {
    const token = sign({ fid });
    expect(verifyReadToken(token, `${key}x`, fid, now)).toBe(false);
    const bytes = Buffer.from(token);
    const at = fc.nat({ max: token.lastIndexOf('.') - 1 });
    fc.assert(
      fc.property(at, fc.integer({ min: 1, max: 127 }), (index, mask) => {
        const changed = Buffer.from(bytes);
        changed[index] = (changed[index] as number) ^ mask;
        expect(verified(changed.toString('latin1'))).toBe(false);
      }),
    );
  });
});
