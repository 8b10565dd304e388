import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JoinedChunks } from './joined-chunks.ts';
import { RequestBody } from './request-body.ts';

const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 });
const extension = fc.constantFrom('', ';a=b', ';c="d"');
const trailerLines = fc.constantFrom('', 'X: y\r\n', 'X: y\r\nContent-Length: 5\r\n');

it('is the same content, in one chunk a piece, however the body is cut', () => {
  const chunks = fc.array(fc.tuple(chunk, extension));
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 });
  fc.assert(
    fc.property(chunks, trailerLines, sizes, (parts, trailer, pieceSizes) => {
      const lines = parts.flatMap(([bytes, ext]) => [
        Buffer.from(`${bytes.length.toString(16)}${ext}\r\n`),
        bytes,
        Buffer.from('\r\n'),
      ]);
      const sent = Buffer.concat([...lines, Buffer.from(`0\r\n${trailer}\r\n`)]);
      const { content, chunkCount, pieces, trailers } = joined(sent, pieceSizes);
      expect(trailers).toBe(trailer);
      expect(content).toEqual(Buffer.concat(parts.map(([bytes]) => bytes)));
      expect(chunkCount).toBeLessThanOrEqual(pieces);
    }),
  );
});

/** Reads the joined pieces. */
function joined(
  sent: Buffer,
  sizes: readonly number[],
): { content: Buffer; chunkCount: number; pieces: number; trailers: string } {
  const body = new RequestBody({ kind: 'chunked' });
  const out: Buffer[] = [];
  for (let at = 0; at < sent.length; ) {
    const piece = sent.subarray(at, at + (sizes[out.length % sizes.length] as number));
    const chunks = new JoinedChunks(piece);
    expect(body.take(piece, chunks.add)).toBe(piece.length);
    out.push(chunks.piece(body.done ? body.trailers : undefined));
    at += piece.length;
  }
  const bytes = Buffer.concat(out);
  const read = new RequestBody({ kind: 'chunked' });
  const content: Buffer[] = [];
  expect(read.take(bytes, (from, to) => content.push(bytes.subarray(from, to)))).toBe(bytes.length);
  expect(read.done).toBe(true);
  return {
    content: Buffer.concat(content),
    chunkCount: content.length,
    pieces: out.length,
    trailers: read.trailers,
  };
}
