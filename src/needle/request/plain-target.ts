/** The way in which nearly every needle is asked for, `/vid,fid` and nothing else, read without a detour. Pure. */
import type { NeedlePath } from './fid.ts';

const slash = 0x2f;
const comma = 0x2c;
/** Fewer digits than overflow a volume id. */
const vidDigitsMax = 9;
const cookieDigits = 8;
const fidDigitsMax = 24;

const wide = new BigUint64Array(1);
const halves = new Uint32Array(wide.buffer);

/** undefined: another form, or none at all; `parseNeedlePath` decides. What both take they read alike. */
export function parsePlainTarget(target: string): NeedlePath | undefined {
  const end = target.length;
  if (target.charCodeAt(0) !== slash) return undefined;
  let at = 1;
  let volumeId = 0;
  for (; at < end; at += 1) {
    const digit = target.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    volumeId = volumeId * 10 + digit;
  }
  const vidDigits = at - 1;
  if (vidDigits === 0 || vidDigits > vidDigitsMax || target.charCodeAt(at) !== comma) {
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
