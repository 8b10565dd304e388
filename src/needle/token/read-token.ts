/**
 * Read tokens: SeaweedFS's JWT, verified as golang-jwt does it (specification 11.1). Where it is not sure what Go would
 * say, the answer is "not verified": the request then goes to the volume server, which decides itself.
 */
import { isUtf8 } from 'node:buffer';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { parsePlainObject } from './json-object.ts';

const hashes: ReadonlyMap<string, string> = new Map([
  ['HS256', 'sha256'],
  ['HS384', 'sha384'],
  ['HS512', 'sha512'],
]);

/**
 * Whether `token` allows the read of `claimedFid`. `key` is SeaweedFS's jwt.signing.read.key; `nowSeconds` unix time,
 * whole or with a fraction.
 */
export function verifyReadToken(
  token: string,
  key: string,
  claimedFid: string,
  nowSeconds: number,
): boolean {
  const [header, claims, signature, ...rest] = token.split('.', 4);
  if (header === undefined || claims === undefined || signature === undefined) return false;
  if (rest.length > 0) return false;
  const hash = hashOf(header);
  if (hash === undefined) return false;
  const given = decodeSegment(signature);
  if (given === undefined) return false;
  const wanted = createHmac(hash, Buffer.from(key, 'utf8')).update(`${header}.${claims}`).digest();
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return false;
  const members = segmentObject(claims);
  return members !== undefined && allows(members, claimedFid, nowSeconds);
}

function hashOf(header: string): string | undefined {
  const alg = segmentObject(header)?.get('alg');
  return typeof alg === 'string' ? hashes.get(alg) : undefined;
}

function segmentObject(segment: string): ReadonlyMap<string, unknown> | undefined {
  const bytes = decodeSegment(segment);
  if (bytes === undefined || !isUtf8(bytes)) return undefined;
  return parsePlainObject(bytes.toString('utf8'));
}

/** Go's base64.RawURLEncoding: no padding, no other alphabet. Its leniency about left-over bits and line ends is not needed. */
function decodeSegment(segment: string): Buffer | undefined {
  if (!/^[0-9A-Za-z\-_]*$/.test(segment) || segment.length % 4 === 1) return undefined;
  return Buffer.from(segment, 'base64url');
}

/** The claims of Go's struct, whose keys it matches in any case. */
const claimKeys = ['fid', 'iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti'] as const;
type ClaimKey = (typeof claimKeys)[number];

function allows(
  members: ReadonlyMap<string, unknown>,
  claimedFid: string,
  nowSeconds: number,
): boolean {
  const claims = new Map<ClaimKey, unknown>();
  for (const [key, value] of members) {
    // Go folds some letters outside of ASCII into ASCII ones.
    if (/[^ -~]/.test(key)) return false;
    const name = claimKeys.find((claim) => claim === key.toLowerCase());
    if (name === undefined) continue;
    if (claims.has(name)) return false;
    claims.set(name, value);
  }
  for (const name of ['fid', 'iss', 'sub', 'jti'] as const) {
    if (!isStringOrNull(claims.get(name))) return false;
  }
  if (!isAudience(claims.get('aud'))) return false;
  const [exp, nbf, iat] = (['exp', 'nbf', 'iat'] as const).map((name) => date(claims.get(name)));
  if (exp === 'bad' || nbf === 'bad' || iat === 'bad') return false;
  if (exp !== undefined && nowSeconds >= exp) return false;
  if (nbf !== undefined && nowSeconds < nbf) return false;
  return (claims.get('fid') ?? '') === claimedFid;
}

function isStringOrNull(value: unknown): boolean {
  return value === undefined || value === null || typeof value === 'string';
}

function isAudience(value: unknown): boolean {
  if (isStringOrNull(value)) return true;
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** A number or a numeric string, cut to whole seconds; absent and null are the same. */
function date(value: unknown): number | 'bad' | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && !/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/.test(value)) return 'bad';
  if (typeof value !== 'string' && typeof value !== 'number') return 'bad';
  const seconds = Math.trunc(Number(value));
  // Far beyond, Go's conversion to an integer would overflow.
  return Number.isSafeInteger(seconds) ? seconds : 'bad';
}
