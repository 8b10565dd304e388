/**
 * The grammar of needle paths (specification section 3), on percent-decoded bytes: `/vid,fid.ext`, `/vid/fid.ext` and
 * `/vid/fid/filename`, with the volume server's own slicing rules for everything odd.
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

const cookieDigits = 8;
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
