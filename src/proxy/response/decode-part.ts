/** Gzip as decode.ts reads it, in passing: its length is told, and a part of it is kept. */
import { crc32, createInflateRaw } from 'node:zlib';
import { codeOf, memberDataOffset, membersMax, trailerBytes } from './decode.ts';
import type { ByteRange } from './ranges.ts';

export type PartResult =
  /** `bytes`: what of `wanted` there is. */
  | { readonly kind: 'part'; readonly bytes: Buffer; readonly totalBytes: number }
  | { readonly kind: 'corrupt' | 'too-large' };

/** What one member's pass holds at a time. */
const chunkSize = 65_536;
const corrupt: PartResult = { kind: 'corrupt' };

/** All of it is inflated, as its end alone tells whether it is whole; `wanted` of it, and one chunk, are in memory. */
export async function decodePart(
  stored: Buffer,
  maxBytes: number,
  wanted: ByteRange,
): Promise<PartResult> {
  const kept: Buffer[] = [];
  let totalBytes = 0;
  let offset = 0;
  let members = 0;
  const take = (chunk: Buffer): void => {
    const start = Math.max(0, wanted.start - totalBytes);
    const end = Math.min(chunk.length, wanted.end - totalBytes);
    // A copy: a view would keep the chunk.
    if (start < end) kept.push(Buffer.from(chunk.subarray(start, end)));
    totalBytes += chunk.length;
  };
  while (offset < stored.length) {
    members += 1;
    if (members > membersMax) return { kind: 'too-large' };
    const dataOffset = memberDataOffset(stored, offset);
    if (dataOffset === undefined) return corrupt;
    const before = totalBytes;
    const passed = await passMember(stored.subarray(dataOffset), maxBytes - before, take);
    if (typeof passed === 'string') return { kind: passed };
    const trailer = dataOffset + passed.consumedBytes;
    if (trailer + trailerBytes > stored.length) return corrupt;
    if (stored.readUInt32LE(trailer) !== passed.checksum) return corrupt;
    if (stored.readUInt32LE(trailer + 4) !== (totalBytes - before) % 2 ** 32) return corrupt;
    offset = trailer + trailerBytes;
  }
  return { kind: 'part', bytes: Buffer.concat(kept), totalBytes };
}

async function passMember(
  data: Buffer,
  maxBytes: number,
  take: (chunk: Buffer) => void,
): Promise<
  { readonly consumedBytes: number; readonly checksum: number } | 'corrupt' | 'too-large'
> {
  const inflate = createInflateRaw({ chunkSize });
  let checksum = 0;
  let passedBytes = 0;
  inflate.end(data);
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      passedBytes += chunk.length;
      if (passedBytes > maxBytes) return 'too-large';
      checksum = crc32(chunk, checksum);
      take(chunk);
    }
  } catch (error) {
    if (codeOf(error).startsWith('Z_')) return 'corrupt';
    throw error;
  }
  return { consumedBytes: inflate.bytesWritten, checksum };
}
