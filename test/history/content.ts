/**
 * What a history's needles hold: each block of 32 bytes names volume, needle, version, length and its own place, under a
 * checksum, so that whole needles and slices of them show which version they are, and that they are of one.
 */

export interface ContentKey {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly version: number;
  /** In bytes. */
  readonly length: number;
}

/** Stored bytes `[offset, offset + bytes.length)` of `totalBytes`. */
export interface Slice {
  readonly offset: number;
  readonly totalBytes: number;
  readonly bytes: Buffer;
}

const blockBytes = 32;
const blockWords = blockBytes / 4;
const magic = 0x5eed4ed1;

export function contentOf(key: ContentKey): Buffer {
  const { volumeId, needleId, version, length } = key;
  const blocks = Math.ceil(length / blockBytes);
  const words = new Uint32Array(blocks * blockWords);
  const low = Number(needleId & 0xffffffffn);
  const high = Number(needleId >> 32n);
  let seed = magic;
  for (const part of [volumeId, low, high, version, length]) seed = mixed(seed ^ part);
  for (let block = 0; block < blocks; block += 1) {
    const at = block * blockWords;
    // First what differs most: even a needle of one byte mostly tells its version.
    words[at] = mixed(seed ^ block);
    words[at + 1] = version;
    words[at + 2] = low;
    words[at + 3] = high;
    words[at + 4] = volumeId;
    words[at + 5] = length;
    words[at + 6] = block;
    words[at + 7] = magic;
  }
  return Buffer.from(words.buffer, 0, length);
}

/**
 * Which of `versions` the slice is of; a text where it is of none. More than one only where their bytes are equal, which
 * takes a slice without a whole block.
 */
export function versionsOf(
  slice: Slice,
  needle: Pick<ContentKey, 'volumeId' | 'needleId'>,
  versions: ReadonlyMap<number, number>,
): readonly number[] | string {
  const first = Math.ceil(slice.offset / blockBytes) * blockBytes - slice.offset;
  if (first + blockBytes > slice.bytes.length) return equalOnes(slice, needle, versions);
  if (slice.bytes.readUInt32LE(first + 28) !== magic) return 'not the bytes of any needle';
  const found = {
    volumeId: slice.bytes.readUInt32LE(first + 16),
    needleId: slice.bytes.readBigUInt64LE(first + 8),
    version: slice.bytes.readUInt32LE(first + 4),
    length: slice.bytes.readUInt32LE(first + 20),
  };
  const named = `${found.volumeId}/${found.needleId} version ${found.version}, ${found.length} bytes`;
  if (found.volumeId !== needle.volumeId || found.needleId !== needle.needleId) {
    return `the bytes of ${named}`;
  }
  if (versions.get(found.version) !== found.length) return `${named}: was never written`;
  if (slice.totalBytes !== found.length) return `${named}, with a length of ${slice.totalBytes}`;
  if (!isSliceOf(slice, found)) return `${named}, and others among them`;
  return [found.version];
}

function equalOnes(
  slice: Slice,
  needle: Pick<ContentKey, 'volumeId' | 'needleId'>,
  versions: ReadonlyMap<number, number>,
): readonly number[] | string {
  const equal: number[] = [];
  for (const [version, length] of versions) {
    if (length !== slice.totalBytes) continue;
    if (isSliceOf(slice, { ...needle, version, length })) equal.push(version);
  }
  const { offset, totalBytes, bytes } = slice;
  const range = `bytes ${offset} to ${offset + bytes.length} of ${totalBytes}`;
  return equal.length > 0 ? equal : `${range}: ${bytes.toString('hex', 0, 32)} are of no version`;
}

function isSliceOf({ offset, bytes }: Slice, key: ContentKey): boolean {
  return contentOf(key)
    .subarray(offset, offset + bytes.length)
    .equals(bytes);
}

/** Murmur3's finalizer. */
function mixed(value: number): number {
  let word = value | 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}
