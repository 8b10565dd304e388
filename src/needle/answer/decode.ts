/**
 * Gzip as strictly as Go reads it (specification 6.1): every byte must belong to a member. Node's own gunzip is not
 * used, because it lets bytes behind the last member pass.
 */
import { promisify } from 'node:util';
import { crc32, type InputType, inflateRaw, inflateRawSync, type ZlibOptions } from 'node:zlib';

export type DecodeResult =
  | { readonly kind: 'decoded'; readonly bytes: Buffer }
  /** The volume server would send an empty body. */
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'too-large' };

/** Larger needles are inflated off the event loop. */
const inlineBytesMax = 64 * 1024;

/** Whether the volume server takes these first stored bytes for gzip. */
export function startsGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Reads the decoded length from the end of stored gzip: true of a single member of less than 4 GiB. */
export function toldBytes(stored: Buffer): number {
  return stored.length < 4 ? 0 : stored.readUInt32LE(stored.length - 4);
}

/**
 * Each member costs a task of its own, however few bytes it has: 400,000 of one byte took a minute and two gigabytes. More
 * are left to the volume server.
 */
export const membersMax = 256;

/**
 * Inflates all members; data that does not start 1F 8B is no gzip, and comes back as it is. More than `countMax` members
 * are too large.
 */
export async function decodeGzip(
  stored: Buffer,
  maxBytes: number,
  countMax: number = Number.POSITIVE_INFINITY,
): Promise<DecodeResult> {
  if (!startsGzip(stored)) {
    return stored.length > maxBytes ? { kind: 'too-large' } : { kind: 'decoded', bytes: stored };
  }
  const parts: Buffer[] = [];
  const passed = await passMembers(stored, { maxBytes, countMax }, async (data, leftBytes) => {
    const inflated = await inflateMember(data, leftBytes);
    if (typeof inflated === 'string') return inflated;
    const { bytes, consumedBytes } = inflated;
    parts.push(parts.length === 0 ? bytes : withoutSlack(bytes));
    return { consumedBytes, decodedBytes: bytes.length, checksum: crc32(bytes) };
  });
  if (typeof passed === 'string') return { kind: passed };
  const [first = Buffer.alloc(0)] = parts;
  return { kind: 'decoded', bytes: parts.length === 1 ? first : Buffer.concat(parts) };
}

/** The result of inflating one member's data. */
export interface MemberPassed {
  readonly consumedBytes: number;
  readonly decodedBytes: number;
  /** CRC-32 of the decoded bytes. */
  readonly checksum: number;
}

/** Has each member inflated by `pass`, which is told how many bytes it may give; the decoded length of them all. */
export async function passMembers(
  stored: Buffer,
  { maxBytes, countMax }: { readonly maxBytes: number; readonly countMax: number },
  pass: (data: Buffer, leftBytes: number) => Promise<MemberPassed | 'corrupt' | 'too-large'>,
): Promise<number | 'corrupt' | 'too-large'> {
  let decodedBytes = 0;
  let offset = 0;
  for (let count = 0; offset < stored.length; count += 1) {
    if (count === countMax) return 'too-large';
    const dataOffset = memberDataOffset(stored, offset);
    if (dataOffset === undefined) return 'corrupt';
    const passed = await pass(stored.subarray(dataOffset), maxBytes - decodedBytes);
    if (typeof passed === 'string') return passed;
    const trailer = dataOffset + passed.consumedBytes;
    if (trailer + trailerBytes > stored.length) return 'corrupt';
    if (stored.readUInt32LE(trailer) !== passed.checksum) return 'corrupt';
    if (stored.readUInt32LE(trailer + 4) !== passed.decodedBytes % 2 ** 32) return 'corrupt';
    decodedBytes += passed.decodedBytes;
    offset = trailer + trailerBytes;
  }
  return decodedBytes;
}

/** A piece of a larger buffer keeps all of it. */
function withoutSlack(bytes: Buffer): Buffer {
  return bytes.length * 2 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes;
}

const trailerBytes = 8;
const fixedHeaderBytes = 10;
/** Go reads name and comment, each with its end, into a buffer of this size. */
const textBytesMax = 512;

const flagHeaderCrc = 0x02;
const flagExtra = 0x04;
const flagName = 0x08;
const flagComment = 0x10;

/** Where the deflate data of the member at `start` begins (RFC 1952, section 2.3); undefined on a bad header. */
function memberDataOffset(stored: Buffer, start: number): number | undefined {
  let offset = start + fixedHeaderBytes;
  if (offset > stored.length) return undefined;
  if (stored[start] !== 0x1f || stored[start + 1] !== 0x8b || stored[start + 2] !== 8) {
    return undefined;
  }
  const flags = stored[start + 3] as number;
  if ((flags & flagExtra) !== 0) {
    if (offset + 2 > stored.length) return undefined;
    offset += 2 + stored.readUInt16LE(offset);
  }
  for (const flag of [flagName, flagComment]) {
    if ((flags & flag) === 0) continue;
    const end = stored.indexOf(0, offset);
    if (end < 0 || end - offset >= textBytesMax) return undefined;
    offset = end + 1;
  }
  if ((flags & flagHeaderCrc) === 0) return offset > stored.length ? undefined : offset;
  if (offset + 2 > stored.length) return undefined;
  const sum = crc32(stored.subarray(start, offset)) & 0xffff;
  return stored.readUInt16LE(offset) === sum ? offset + 2 : undefined;
}

interface Inflated {
  readonly bytes: Buffer;
  readonly consumedBytes: number;
}

/** With `info: true`, zlib's convenience calls answer this; the typings do not say so. */
interface WithInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

const inflateAsync = promisify(inflateRaw) as unknown as (
  data: InputType,
  options: ZlibOptions,
) => Promise<WithInfo>;
const inflateInline = inflateRawSync as unknown as (
  data: InputType,
  options: ZlibOptions,
) => WithInfo;

async function inflateMember(
  data: Buffer,
  maxBytes: number,
): Promise<Inflated | 'corrupt' | 'too-large'> {
  // An output limit of 0 is none to zlib.
  const limit = Math.max(1, maxBytes);
  try {
    const result = await inflateWithin(data, limit);
    if (result.buffer.length > maxBytes) return 'too-large';
    return { bytes: result.buffer, consumedBytes: result.engine.bytesWritten };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ERR_BUFFER_TOO_LARGE') return 'too-large';
    if (code.startsWith('Z_')) return 'corrupt';
    throw error;
  }
}

async function inflateWithin(data: Buffer, limit: number): Promise<WithInfo> {
  if (data.length <= inlineBytesMax && looksSmall(data)) {
    try {
      const maxOutputLength = Math.min(limit, inlineBytesMax);
      return inflateInline(data, { info: true, maxOutputLength });
    } catch (error) {
      if (codeOf(error) !== 'ERR_BUFFER_TOO_LARGE' || limit <= inlineBytesMax) throw error;
    }
  }
  // In one piece, where the end says the truth: pieces would be joined, at twice the memory.
  const chunkSize = Math.max(inlineBytesMax, Math.min(limit, toldBytes(data)) + spareBytes);
  return inflateAsync(data, { info: true, maxOutputLength: limit, chunkSize });
}

function looksSmall(data: Buffer): boolean {
  return toldBytes(data) <= inlineBytesMax;
}

/** zlib takes another piece when one is full to the last byte. */
const spareBytes = 64;

export function codeOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return String(error.code);
}
