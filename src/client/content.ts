/** From a target's answer to what the caller holds: stored bytes where they lie, decoded ones on the heap. */

import { decodeGzip, startsGzip } from '../needle/answer/decode.ts';
import { isCompressed } from '../needle/record.ts';
import type { FetchResult } from '../rdma/needle-fetcher.ts';
import type { CheckedRead } from './arguments.ts';
import { LeasedNeedle, metadataOf, type NeedleContent } from './needle-content.ts';
import { NeedleReadError } from './read-error.ts';

/** A needle as a target answered it, and who that was. */
export type ContentAnswer = Extract<FetchResult, { kind: 'needle' }> & {
  readonly target: string;
  readonly transport: string;
};

/** The range that a read was asked for. */
export interface ContentRange {
  readonly offset: number;
  /** Infinity: to the end. */
  readonly size: number;
}

/** Stored bytes. The lease goes with them. */
export function plainContent(answer: ContentAnswer, { offset, size }: ContentRange): NeedleContent {
  const { data, needle, target, transport } = answer;
  const start = offset - (data?.offset ?? 0);
  return new LeasedNeedle({
    bytes: data === undefined ? new Uint8Array(0) : plainView(data.view, start, size),
    lease: data?.lease,
    offset: Math.min(offset, needle.dataBytes),
    decoded: false,
    totalBytes: needle.dataBytes,
    needle: metadataOf(needle),
    target,
    transport,
  });
}

export interface ContentDecoding {
  readonly maxBytes: number;
  /** Reads the whole needle, where the answer is only a part of it. */
  readonly whole: () => Promise<ContentAnswer>;
}

/** Decodes a needle that is stored as gzip; returns any other one as plainContent does. */
export async function decodedContent(
  answer: ContentAnswer,
  read: CheckedRead,
  decoding: ContentDecoding,
): Promise<NeedleContent> {
  if (!isCompressed(answer.needle.flags) || read.size === 0) return plainContent(answer, read);
  let whole = answer;
  if (answer.data?.view.length !== answer.needle.dataBytes) {
    answer.data?.lease.release();
    whole = await decoding.whole();
  }
  const { data, needle, target, transport } = whole;
  // The record says so, its first bytes decide: as the volume server takes it.
  if (data === undefined || !isCompressed(needle.flags) || !startsGzip(data.view)) {
    return plainContent(whole, read);
  }
  try {
    const result = await decodeGzip(data.view, decoding.maxBytes);
    read.signal?.throwIfAborted();
    if (result.kind === 'corrupt') throw new NeedleReadError('corrupt', read, target, 'bad gzip');
    if (result.kind === 'too-large') throw new NeedleReadError('too_large', read, target);
    return new LeasedNeedle({
      bytes: plainView(result.bytes, read.offset, read.size),
      lease: undefined,
      offset: Math.min(read.offset, result.bytes.length),
      decoded: true,
      totalBytes: result.bytes.length,
      needle: metadataOf(needle),
      target,
      transport,
    });
  } finally {
    data.lease.release();
  }
}

/** No Buffer: of that, slice() would be another view of memory that is used again. */
function plainView(buffer: Buffer, offset: number, size: number): Uint8Array {
  const view = buffer.subarray(offset, offset + size);
  return new Uint8Array(view.buffer, view.byteOffset, view.length);
}
