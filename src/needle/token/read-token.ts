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

/** The read of one file, for some time: granted by a token of the right key and form. */
export interface ReadGrant {
  readonly claimedFid: string;
  /** Unix time, whole seconds; undefined: no such bound. */
  readonly expires: number | undefined;
  readonly notBefore: number | undefined;
}

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
  const grant = grantOf(token, key);
  return grant !== undefined && allowsRead(grant, claimedFid, nowSeconds);
}

export function allowsRead(grant: ReadGrant, claimedFid: string, nowSeconds: number): boolean {
  const { expires, notBefore } = grant;
  if (expires !== undefined && nowSeconds >= expires) return false;
  if (notBefore !== undefined && nowSeconds < notBefore) return false;
  return grant.claimedFid === claimedFid;
}

/** Undefined: not of this key, or not of a form that is known. */
export function grantOf(token: string, key: string): ReadGrant | undefined {
  const [header, claims, signature, ...rest] = token.split('.', 4);
  if (header === undefined || claims === undefined || signature === undefined) return undefined;
  if (rest.length > 0) return undefined;
  const hash = hashOf(header);
  if (hash === undefined) return undefined;
  const given = decodeSegment(signature);
  if (given === undefined) return undefined;
  // A key in a Buffer costs ten times as much as a text.
  const wanted = createHmac(hash, key).update(`${header}.${claims}`).digest();
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
  const members = segmentObject(claims);
  return members === undefined ? undefined : grantOfClaims(members);
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

function grantOfClaims(members: ReadonlyMap<string, unknown>): ReadGrant | undefined {
  const claims = new Map<ClaimKey, unknown>();
  for (const [key, value] of members) {
    // Go folds some letters outside of ASCII into ASCII ones.
    if (/[^ -~]/.test(key)) return undefined;
    const name = claimKeys.find((claim) => claim === key.toLowerCase());
    if (name === undefined) continue;
    if (claims.has(name)) return undefined;
    claims.set(name, value);
  }
  for (const name of ['iss', 'sub', 'jti'] as const) {
    if (!isStringOrNull(claims.get(name))) return undefined;
  }
  const fid = claims.get('fid') ?? '';
  if (typeof fid !== 'string' || !isAudience(claims.get('aud'))) return undefined;
  const [expires, notBefore, iat] = (['exp', 'nbf', 'iat'] as const).map((name) =>
    date(claims.get(name)),
  );
  if (expires === 'bad' || notBefore === 'bad' || iat === 'bad') return undefined;
  return { claimedFid: fid, expires, notBefore };
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
