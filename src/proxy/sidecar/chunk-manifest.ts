/**
 * Tells a list of chunks from a file's bytes. `weed mount` asks for the chunk that a file's entry names, and takes what it
 * gets for the file's content; for a file of very many chunks (10,000 in 4.44) that entry names a list of chunks
 * (filer_pb.FileChunkManifest), which is stored like any other needle. Nothing in the needle says so but its content.
 */

/** Bytes at a needle's start that are looked at. */
export const manifestLookBytes = 512;

const varint = 0;
const lengthDelimited = 2;

/** Field number → wire type, of filer_pb.FileChunk. */
const chunkFields: ReadonlyMap<number, number> = new Map([
  [1, lengthDelimited],
  [2, varint],
  [3, varint],
  [4, varint],
  [5, lengthDelimited],
  [6, lengthDelimited],
  [7, lengthDelimited],
  [8, lengthDelimited],
  [9, lengthDelimited],
  [10, varint],
  [11, varint],
  [12, varint],
  [13, lengthDelimited],
]);
/** file_id or fid: which needle it is. */
const idFields: readonly number[] = [1, 7];
const sizeField = 3;
/** FileChunkManifest's field 1, with a length. */
const chunkTag = 0x0a;

/**
 * `start`: the needle's first bytes, all of it where it has fewer than `manifestLookBytes`. A needle whose beginning
 * reads as one whole chunk, with another one or nothing behind it, counts as a list: a client that stores such bytes as
 * a file's content gets them over HTTP.
 */
export function startsChunkManifest(start: Buffer): boolean {
  if (start[0] !== chunkTag) return false;
  const length = readVarint(start, 1);
  if (length === undefined || length.value === 0) return false;
  const end = length.next + length.value;
  if (end > start.length || (end < start.length && start[end] !== chunkTag)) return false;
  return isChunk(start.subarray(length.next, end));
}

function isChunk(message: Buffer): boolean {
  let at = 0;
  let last = 0;
  let hasId = false;
  let hasSize = false;
  while (at < message.length) {
    const tag = readVarint(message, at);
    if (tag === undefined) return false;
    const field = tag.value >> 3;
    // Go writes fields in the order of their numbers.
    if (chunkFields.get(field) !== (tag.value & 7) || field <= last) return false;
    const value = readVarint(message, tag.next);
    if (value === undefined) return false;
    hasId ||= idFields.includes(field);
    hasSize ||= field === sizeField;
    last = field;
    at = (tag.value & 7) === varint ? value.next : value.next + value.value;
  }
  return at === message.length && hasId && hasSize;
}

/** Beyond 2^53 the value is not exact; only lengths are looked at. */
function readVarint(bytes: Buffer, at: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10; i += 1) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  return undefined;
}
