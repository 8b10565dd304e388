/** multipart/byteranges as Go's mime/multipart frames it (specification 6.4). */
import { type ByteRange, contentRange } from './ranges.ts';

export interface MultipartShape {
  readonly ranges: readonly ByteRange[];
  readonly totalBytes: number;
  /** Content-Type of each part, latin1; '' leaves `Content-Type: ` with nothing behind it. */
  readonly partType: string;
}

export const boundaryChars = 60;

/** The length of the whole body. */
export function multipartBytes(shape: MultipartShape): number {
  const boundary = 'b'.repeat(boundaryChars);
  let bytes = closing(boundary).length;
  shape.ranges.forEach((range, index) => {
    bytes += partHead(shape, index, boundary).length + range.end - range.start;
  });
  return bytes;
}

/** The parts' heads around `slices`, one slice for each range. */
export function multipartBody(
  shape: MultipartShape,
  slices: readonly Buffer[],
  boundary: string,
): Buffer[] {
  const body: Buffer[] = [];
  slices.forEach((slice, index) => {
    body.push(Buffer.from(partHead(shape, index, boundary), 'latin1'));
    if (slice.length > 0) body.push(slice);
  });
  body.push(Buffer.from(closing(boundary), 'latin1'));
  return body;
}

function partHead(shape: MultipartShape, index: number, boundary: string): string {
  const lead = index === 0 ? '' : '\r\n';
  const range = contentRange(shape.ranges[index] as ByteRange, shape.totalBytes);
  return `${lead}--${boundary}\r\nContent-Range: ${range}\r\nContent-Type: ${shape.partType}\r\n\r\n`;
}

function closing(boundary: string): string {
  return `\r\n--${boundary}--\r\n`;
}
