/** What the clients write and read: small files, files of 1 to 60 MB, and compressible text. */
import { createHash, randomBytes } from 'node:crypto';

export interface Content {
  readonly name: string;
  readonly bytes: Buffer;
}

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const smallCount = 40;
const smallStep = 211;

/** 1 byte to 8 KiB. */
export function smallFiles(count: number = smallCount): readonly Content[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `small-${index}.bin`,
    bytes: randomBytes(index * smallStep + 1),
  }));
}

export function largeFiles(megabytes: readonly number[]): readonly Content[] {
  return megabytes.map((size) => ({
    name: `large-${size}.bin`,
    // No whole number of chunks.
    bytes: randomBytes(size * mebibyte + 123),
  }));
}

/** SeaweedFS stores it compressed. */
export function textFile(bytes: number = 3 * mebibyte): Content {
  const lines: string[] = [];
  for (let length = 0, line = 0; length < bytes; line += 1) {
    const text = `${line} the quick brown fox jumps over the lazy dog ${line % 97}\n`;
    lines.push(text);
    length += text.length;
  }
  return { name: 'text.txt', bytes: Buffer.from(lines.join('')) };
}

/** Random places in a file, each with its length. */
export function randomPlaces(
  { bytes }: Content,
  count: number,
  length: number,
): readonly { readonly from: number; readonly to: number }[] {
  return Array.from({ length: count }, () => {
    const from = Math.floor(Math.random() * (bytes.length - length));
    return { from, to: from + length };
  });
}

/** Says where bytes differ rather than printing megabytes. */
export function mustEqual(what: string, got: Uint8Array, wanted: Uint8Array): void {
  if (Buffer.compare(got, wanted) === 0) return;
  const length = Math.min(got.length, wanted.length);
  let at = 0;
  while (at < length && got[at] === wanted[at]) at += 1;
  const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  throw new Error(
    `${what}: wrong bytes from ${at} on: ${got.length} bytes (${hash(got)}), ` +
      `${wanted.length} were written (${hash(wanted)})`,
  );
}
