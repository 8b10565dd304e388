/** The client's door: what callers hand in is checked here, once, and named in the error. */
import { parseNeedlePath } from '../needle/request/needle-path.ts';

/** A needle by its three numbers, or by its fid as in `3,01637037d6`. */
export type NeedleName =
  | {
      readonly volumeId: number;
      /** A bigint, or a number up to 2^53 - 1. */
      readonly needleId: bigint | number;
      readonly cookie: number;
      readonly fid?: undefined;
    }
  | {
      readonly fid: string;
      readonly volumeId?: undefined;
      readonly needleId?: undefined;
      readonly cookie?: undefined;
    };

export type ReadNeedleOptions = NeedleName & {
  /** First byte wanted; default 0. At or past the end: no bytes, and no error. */
  readonly offset?: number | undefined;
  /** Bytes wanted, cut at the end; default: all of them. 0: the needle's metadata alone. */
  readonly size?: number | undefined;
  /**
   * Gunzips a needle that is stored compressed; `offset` and `size` then count decoded bytes, which lie on the heap. A
   * needle that is not compressed is answered as without it. Default false: stored bytes.
   */
  readonly decode?: boolean | undefined;
  /** For the whole read, waiting for a connection included; default: connect()'s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

export interface CheckedRead {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  readonly offset: number;
  /** Infinity: to the end. */
  readonly size: number;
  readonly decode: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

const readKeys = [
  'volumeId',
  'needleId',
  'cookie',
  'fid',
  'offset',
  'size',
  'decode',
  'timeoutMs',
  'signal',
];
const timeoutMsMax = 86_400_000;
const u32Max = 0xffff_ffff;
const u64Max = 0xffff_ffff_ffff_ffffn;

/** @throws TypeError for what is of another type or unknown, RangeError for what is out of range. */
export function checkRead(options: ReadNeedleOptions, timeoutMsDefault: number): CheckedRead {
  checkKeys('readNeedle', options, readKeys);
  const { offset = 0, size, decode = false, timeoutMs = timeoutMsDefault, signal } = options;
  integerWithin('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  if (size !== undefined) integerWithin('size', size, 0, Number.MAX_SAFE_INTEGER);
  if (typeof decode !== 'boolean') throw wrongType('decode', 'true or false', decode);
  checkTimeout('timeoutMs', timeoutMs);
  checkSignal(signal);
  const name = checkName(options);
  return { ...name, offset, size: size ?? Number.POSITIVE_INFINITY, decode, timeoutMs, signal };
}

function checkName(
  options: ReadNeedleOptions,
): Pick<CheckedRead, 'volumeId' | 'needleId' | 'cookie'> {
  const { fid, volumeId, needleId, cookie } = options;
  if (fid === undefined) {
    integerWithin('volumeId', volumeId, 0, u32Max);
    integerWithin('cookie', cookie, 0, u32Max);
    return { volumeId, needleId: checkNeedleId(needleId), cookie };
  }
  if (volumeId !== undefined || needleId !== undefined || cookie !== undefined) {
    throw new TypeError('give fid, or volumeId, needleId and cookie: not both');
  }
  const path = typeof fid === 'string' ? parseNeedlePath(`/${fid}`) : undefined;
  if (path === undefined) throw wrongType('fid', 'a fid such as "3,01637037d6"', fid);
  return { volumeId: path.volumeId, needleId: path.needleId, cookie: path.cookie };
}

function checkNeedleId(needleId: unknown): bigint {
  if (typeof needleId === 'number') {
    integerWithin('needleId', needleId, 0, Number.MAX_SAFE_INTEGER);
    return BigInt(needleId);
  }
  if (typeof needleId !== 'bigint') throw wrongType('needleId', 'a bigint', needleId);
  if (needleId < 0n || needleId > u64Max) {
    throw new RangeError(`needleId must be 0 to 2^64 - 1, not ${needleId}`);
  }
  return needleId;
}

/** A misspelt option that is ignored is a setting that never was. */
export function checkKeys(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw wrongType(`${what}()’s argument`, 'an object', options);
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    throw new TypeError(`${what}() has no option "${key}" here; it takes ${known.join(', ')}`);
  }
}

export function integerWithin(
  name: string,
  value: unknown,
  min: number,
  max: number,
): asserts value is number {
  if (typeof value !== 'number') throw wrongType(name, 'a number', value);
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`${name} must be an integer from ${min} to ${max}, not ${value}`);
}

export function checkTimeout(name: string, value: unknown): void {
  if (typeof value !== 'number') throw wrongType(name, 'a number of milliseconds', value);
  if (value > 0 && value <= timeoutMsMax) return;
  throw new RangeError(`${name} must be over 0 and at most ${timeoutMsMax}, not ${value}`);
}

export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw wrongType('signal', 'an AbortSignal', signal);
}

export function wrongType(name: string, expected: string, value: unknown): TypeError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new TypeError(`${name} must be ${expected}, not ${shown.slice(0, 80)}`);
}
