/** Gzip as decode.ts reads it, in passing: its length is told, and a part of it is kept. */
import { crc32, createInflateRaw } from 'node:zlib';
import { codeOf, type MemberPassed, membersMax, passMembers } from './decode.ts';
import type { ByteRange } from './ranges.ts';

export type PartResult =
  /** `bytes`: what of `wanted` there is. */
  | { readonly kind: 'part'; readonly bytes: Buffer; readonly totalBytes: number }
  | { readonly kind: 'corrupt' | 'too-large' };

/** Bytes that one member's pass holds at a time. */
const chunkSize = 65_536;

/** All of it is inflated, as its end alone tells whether it is whole; `wanted` of it, and one chunk, are in memory. */
export async function decodePart(
  stored: Buffer,
  maxBytes: number,
  wanted: ByteRange,
): Promise<PartResult> {
  const kept: Buffer[] = [];
  let seenBytes = 0;
  const take = (chunk: Buffer): void => {
    const start = Math.max(0, wanted.start - seenBytes);
    const end = Math.min(chunk.length, wanted.end - seenBytes);
    // A copy: a view would keep the chunk.
    if (start < end) kept.push(Buffer.from(chunk.subarray(start, end)));
    seenBytes += chunk.length;
  };
  const limits = { maxBytes, countMax: membersMax };
  const totalBytes = await passMembers(stored, limits, (data, leftBytes) =>
    passMember(data, leftBytes, take),
  );
  if (typeof totalBytes === 'string') return { kind: totalBytes };
  return { kind: 'part', bytes: Buffer.concat(kept), totalBytes };
}

async function passMember(
  data: Buffer,
  maxBytes: number,
  take: (chunk: Buffer) => void,
): Promise<MemberPassed | 'corrupt' | 'too-large'> {
  const inflate = createInflateRaw({ chunkSize });
  let checksum = 0;
  let decodedBytes = 0;
  inflate.end(data);
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      decodedBytes += chunk.length;
      if (decodedBytes > maxBytes) return 'too-large';
      checksum = crc32(chunk, checksum);
      take(chunk);
    }
  } catch (error) {
    if (codeOf(error).startsWith('Z_')) return 'corrupt';
    throw error;
  }
  return { consumedBytes: inflate.bytesWritten, decodedBytes, checksum };
}
