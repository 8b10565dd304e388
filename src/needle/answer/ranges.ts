/** The volume server's parsing of a Range header (specification 6.4): Go's old http range code, signs and all. */
import { parseInt64 } from '../request/go-numbers.ts';

/** Bytes `[start, end)` of the form that is sent. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export type RangePlan =
  | { readonly kind: 'single'; readonly range: ByteRange }
  | { readonly kind: 'multiple'; readonly ranges: readonly ByteRange[] }
  /** 416, a 200 with an empty body, or an answer of negative length: the volume server's to give. */
  | { readonly kind: 'odd' };

const odd: RangePlan = { kind: 'odd' };

/** `totalBytes` of the form that is sent. */
export function planRanges(header: string, totalBytes: number): RangePlan {
  // Go trims Unicode blanks here.
  if (!header.startsWith('bytes=') || /[^\t\x20-\x7e]/.test(header)) return odd;
  const ranges: ByteRange[] = [];
  let sumBytes = 0;
  // Bounded where the request was read: `rangesMax`.
  for (const part of header.slice('bytes='.length).split(',')) {
    const text = part.trim();
    if (text === '') continue;
    const range = parseRange(text, totalBytes);
    if (range === undefined) return odd;
    sumBytes += range.end - range.start;
    ranges.push(range);
  }
  const [first] = ranges;
  if (first === undefined || sumBytes > totalBytes) return odd;
  return ranges.length === 1 ? { kind: 'single', range: first } : { kind: 'multiple', ranges };
}

function parseRange(text: string, totalBytes: number): ByteRange | undefined {
  const dash = text.indexOf('-');
  if (dash < 0) return undefined;
  const firstText = text.slice(0, dash).trim();
  const lastText = text.slice(dash + 1).trim();
  if (firstText === '') {
    const suffixBytes = parseInt64(lastText);
    if (suffixBytes === undefined || suffixBytes < 0) return undefined;
    return { start: totalBytes - Math.min(suffixBytes, totalBytes), end: totalBytes };
  }
  const start = parseInt64(firstText);
  if (start === undefined || start > totalBytes || start < 0) return undefined;
  if (lastText === '') return { start, end: totalBytes };
  const last = parseInt64(lastText);
  if (last === undefined || start > last) return undefined;
  return { start, end: Math.min(last, totalBytes - 1) + 1 };
}

/** `bytes a-b/size`; an empty range prints b = a-1. */
export function contentRange(range: ByteRange, totalBytes: number): string {
  return `bytes ${range.start}-${range.end - 1}/${totalBytes}`;
}
