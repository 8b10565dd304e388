/**
 * The needle that a request target names (specification sections 3, 11 and 12): its path as the volume server's handler
 * gets it, and the grammar of needle paths, with the server's own slicing rules for everything odd. Pure.
 */
import { parseUint64 } from './go-numbers.ts';

export interface NeedlePath {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  /** `<vid>,<fid>` as spelled, without extension and `_delta`. */
  readonly claimedFid: string;
  readonly filename: string;
  /** With its dot. */
  readonly ext: string;
}

/** The needle that a request target names, whatever the method; undefined if it is no needle path. */
export function needlePathOf(target: string): NeedlePath | undefined {
  return parsePlainTarget(target) ?? parseRawPath(splitTarget(target).rawPath);
}

/** The needles that a write to this target may change; the volume server finds them in its own way. */
export function writtenNeedlesOf(target: string): readonly WrittenNeedle[] {
  const path = handlerPath(splitTarget(target).rawPath);
  return path === undefined ? [] : parseWrittenNeedles(path);
}

export interface SplitTarget {
  readonly rawPath: string;
  /** Without its question mark; '' if there is none. */
  readonly rawQuery: string;
}

export function splitTarget(target: string): SplitTarget {
  const mark = target.indexOf('?');
  if (mark < 0) return { rawPath: target, rawQuery: '' };
  return { rawPath: target.slice(0, mark), rawQuery: target.slice(mark + 1) };
}

/** Spells a needle id as file ids do: whole bytes of hexadecimal digits. */
export function needleIdText(needleId: bigint): string {
  const digits = needleId.toString(16);
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}

// The way in which nearly every needle is asked for: `/vid,fid` and nothing else.

const slashCode = 0x2f;
const commaCode = 0x2c;
/** Fewer digits than overflow a volume id. */
const vidDigitsMax = 9;
const cookieDigits = 8;
const fidDigitsMax = 24;

const wide = new BigUint64Array(1);
const halves = new Uint32Array(wide.buffer);

/** undefined: another form, or none at all; `parseNeedlePath` decides. What both take they read alike. */
export function parsePlainTarget(target: string): NeedlePath | undefined {
  const end = target.length;
  if (target.charCodeAt(0) !== slashCode) return undefined;
  let at = 1;
  let volumeId = 0;
  for (; at < end; at += 1) {
    const digit = target.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    volumeId = volumeId * 10 + digit;
  }
  const vidDigits = at - 1;
  if (vidDigits === 0 || vidDigits > vidDigitsMax || target.charCodeAt(at) !== commaCode) {
    return undefined;
  }
  at += 1;
  const digits = end - at;
  if (digits <= cookieDigits || digits > fidDigitsMax) return undefined;
  // 96 bits in three words; the lowest is the cookie.
  let high = 0;
  let low = 0;
  let cookie = 0;
  for (; at < end; at += 1) {
    const digit = hexDigit(target.charCodeAt(at));
    if (digit < 0) return undefined;
    high = (high << 4) | (low >>> 28);
    low = (low << 4) | (cookie >>> 28);
    cookie = (cookie << 4) | digit;
  }
  halves[0] = low;
  halves[1] = high;
  return {
    volumeId,
    needleId: wide[0] as bigint,
    cookie: cookie >>> 0,
    claimedFid: target.slice(1),
    filename: '',
    ext: '',
  };
}

/** -1: none. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

// Percent-decoded bytes, unless Go's ServeMux would redirect to a cleaned path first. Go: net/url setPath, EscapedPath;
// ServeMux cleanPath.

/** The path that most clients send: it needs no decoding, and a comma path of one segment needs no cleaning. */
const plainPath = /^\/[0-9A-Za-z,_]+$/;
/** Go refuses control bytes; a blank cannot come out of a request line. */
const refusedByte = /[^\x21-\x7e\x80-\xff]/;
/** Bytes that leave an escaped path as the client spelled it (net/url validEncoded). */
const validEncoded = /^[0-9A-Za-z\-_.~!$&'()*+,;=:@[\]/%]*$/;
const uncleanPart = /\/(?:\/|\.\.?(?:\/|$))/;

/** The decoded path, latin1; undefined: absolute form, refused bytes, bad escapes, or a path that is redirected. */
export function handlerPath(rawPath: string): string | undefined {
  if (plainPath.test(rawPath)) return rawPath;
  if (!rawPath.startsWith('/') || refusedByte.test(rawPath)) return undefined;
  if (uncleanPart.test(rawPath)) return undefined;
  const path = percentDecode(rawPath);
  if (path === undefined) return undefined;
  // The mux then looks at the decoded path, escaped anew: dots and slashes come out bare.
  if (!validEncoded.test(rawPath) && uncleanPart.test(path)) return undefined;
  return path;
}

const badEscape = /%(?![0-9A-Fa-f]{2})/;

/** Bytes for escapes; undefined on a bad one. A plus stays. */
export function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  if (badEscape.test(text)) return undefined;
  return text.replace(/%(..)/gs, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

// The grammar, on percent-decoded bytes: `/vid,fid.ext`, `/vid/fid.ext` and `/vid/fid/filename`.

/** The needle of a path of any form; undefined if it is no needle path. */
export function parseRawPath(rawPath: string): NeedlePath | undefined {
  const path = handlerPath(rawPath);
  return path === undefined ? undefined : parseNeedlePath(path);
}

/** undefined: the volume server answers this path with an error, or not at all. */
export function parseNeedlePath(path: string): NeedlePath | undefined {
  const parts = splitNeedlePath(path);
  if (parts === undefined) return undefined;
  const volumeId = parseVolumeId(parts.vid);
  if (volumeId === undefined) return undefined;
  const fid = parseFid(parts.fid);
  if (fid === undefined) return undefined;
  return {
    volumeId,
    needleId: fid.needleId,
    cookie: fid.cookie,
    claimedFid: `${parts.vid},${fid.withoutDelta}`,
    filename: parts.filename,
    ext: parts.ext,
  };
}

export interface WrittenNeedle {
  readonly volumeId: number;
  readonly needleId: bigint;
}

/**
 * A POST finds its volume as a read does, and its needle behind the path's last comma, up to the last dot (specification
 * section 11); a DELETE finds both as a read does. Both needles, where they differ.
 */
export function parseWrittenNeedles(path: string): readonly WrittenNeedle[] {
  const parts = splitNeedlePath(path);
  const volumeId = parts === undefined ? undefined : parseVolumeId(parts.vid);
  if (parts === undefined || volumeId === undefined) return [];
  const dot = path.lastIndexOf('.');
  const afterComma = path.slice(path.lastIndexOf(',') + 1, dot > 0 ? dot : path.length);
  const needleIds = [parts.fid, afterComma].map((fid) => parseFid(fid)?.needleId);
  return [...new Set(needleIds)].flatMap((needleId) =>
    needleId === undefined ? [] : { volumeId, needleId },
  );
}

/** From the last dot of the last path element (Go's filepath.Ext); '' if there is none. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 || name.indexOf('/', dot) >= 0 ? '' : name.slice(dot);
}

interface PathParts {
  readonly vid: string;
  readonly fid: string;
  readonly filename: string;
  readonly ext: string;
}

function splitNeedlePath(path: string): PathParts | undefined {
  const segments = path.split('/');
  if (segments.length === 4) {
    const [, vid = '', fid = '', filename = ''] = segments;
    return { vid, fid, filename, ext: extensionOf(filename) };
  }
  if (segments.length === 3) {
    const [, vid = '', last = ''] = segments;
    const dot = last.lastIndexOf('.');
    if (dot <= 0) return { vid, fid: last, filename: '', ext: '' };
    return { vid, fid: last.slice(0, dot), filename: '', ext: last.slice(dot) };
  }
  return splitCommaPath(path);
}

/**
 * The volume server finds comma and dot relative to the last slash, then slices the whole path with these positions.
 * With one slash that is right; with four or more it mostly ends in a panic, and sometimes in a read.
 */
function splitCommaPath(path: string): PathParts | undefined {
  const slash = path.lastIndexOf('/');
  const comma = path.lastIndexOf(',') - slash;
  if (comma <= 0) return undefined;
  const dot = path.lastIndexOf('.') - slash;
  if (slash + 1 > comma) return undefined;
  const vid = path.slice(slash + 1, comma);
  if (dot <= 0) return { vid, fid: path.slice(comma + 1), filename: '', ext: '' };
  if (comma + 1 > dot) return undefined;
  return { vid, fid: path.slice(comma + 1, dot), filename: '', ext: path.slice(dot) };
}

/** Must fit 64 bits, then counts modulo 2^32. */
function parseVolumeId(vid: string): number | undefined {
  const value = parseUint64(vid);
  return value === undefined ? undefined : Number(BigInt.asUintN(32, value));
}

const needleIdMax = 0xffff_ffff_ffff_ffffn;
const idAndCookie = /^[0-9A-Fa-f]{9,24}$/;

interface Fid {
  readonly needleId: bigint;
  readonly cookie: number;
  readonly withoutDelta: string;
}

function parseFid(fid: string): Fid | undefined {
  const underscore = fid.lastIndexOf('_');
  const withoutDelta = underscore > 0 ? fid.slice(0, underscore) : fid;
  if (!idAndCookie.test(withoutDelta)) return undefined;
  const split = withoutDelta.length - cookieDigits;
  const baseId = BigInt(`0x${withoutDelta.slice(0, split)}`);
  const cookie = Number.parseInt(withoutDelta.slice(split), 16);
  const deltaText = underscore > 0 ? fid.slice(underscore + 1) : '';
  if (deltaText === '') return { needleId: baseId, cookie, withoutDelta };
  const delta = parseUint64(deltaText);
  if (delta === undefined || delta > needleIdMax - baseId) return undefined;
  return { needleId: baseId + delta, cookie, withoutDelta };
}

const volumeIdDigitsMax = 10;

/**
 * The volume of a target that may name a needle, read without the rest: `/3,01637037d6` and `/3/01637037d6/name` → 3; -1: it
 * names none.
 */
export function volumeIdOf(target: string): number {
  let id = 0;
  let at = 1;
  for (; at <= volumeIdDigitsMax; at += 1) {
    const digit = target.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    id = id * 10 + digit;
  }
  const behind = target.charCodeAt(at);
  return at > 1 && id < 2 ** 32 && (behind === commaCode || behind === slashCode) ? id : -1;
}
