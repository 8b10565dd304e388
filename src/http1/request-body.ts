/**
 * Counts which bytes of a connection belong to the request in hand, so that not one of the next request's is handed
 * on with it. RFC 9112 sections 6 and 7.1. What Node's parser could count differently is broken.
 */
import type { BodyFraming } from './request-head.ts';

export class RequestBody {
  /** Bytes of the current stretch that are still to come; chunked: of the chunk and its CRLF. */
  #leftBytes = 0;
  #line = '';
  #trailerLines = 0;
  #chunkBytes = 0;
  #stage: 'stretch' | 'size-line' | 'trailer-line' | 'done';
  readonly #chunked: boolean;

  constructor(framing: BodyFraming) {
    this.#chunked = framing.kind === 'chunked';
    this.#leftBytes = framing.kind === 'length' ? framing.bytes : 0;
    if (this.#chunked) this.#stage = 'size-line';
    else this.#stage = this.#leftBytes === 0 ? 'done' : 'stretch';
  }

  /** Bytes of all chunks that have begun, framing left out. */
  get chunkBytes(): number {
    return this.#chunkBytes;
  }

  get done(): boolean {
    return this.#stage === 'done';
  }

  /**
   * How many of the bytes, from their start, belong to this body; undefined: its framing is broken.
   *
   * @param onContent called with each stretch of `bytes` that is content
   */
  take(bytes: Buffer, onContent?: (content: Buffer) => void): number | undefined {
    let at = 0;
    while (at < bytes.length && this.#stage !== 'done') {
      if (this.#stage === 'stretch') {
        const taken = Math.min(this.#leftBytes, bytes.length - at);
        if (this.#chunked && !this.#endsInCrlf(bytes, at, taken)) return undefined;
        onContent?.(bytes.subarray(at, at + Math.min(taken, this.#contentLeftBytes)));
        at += taken;
        this.#leftBytes -= taken;
        if (this.#leftBytes === 0) this.#stage = this.#chunked ? 'size-line' : 'done';
        continue;
      }
      const lineFeed = bytes.indexOf(0x0a, at);
      const lineEnd = lineFeed < 0 ? bytes.length : lineFeed + 1;
      this.#line += bytes.toString('latin1', at, lineEnd);
      if (this.#line.length > lineBytesMax) return undefined;
      at = lineEnd;
      if (lineFeed >= 0 && !this.#endLine()) return undefined;
    }
    return at;
  }

  get #contentLeftBytes(): number {
    return this.#chunked ? Math.max(0, this.#leftBytes - 2) : this.#leftBytes;
  }

  /** The last two bytes of a chunk's stretch are its CRLF. */
  #endsInCrlf(bytes: Buffer, at: number, taken: number): boolean {
    const carriageReturn = at + this.#leftBytes - 2;
    if (carriageReturn >= at && carriageReturn < at + taken && bytes[carriageReturn] !== 0x0d) {
      return false;
    }
    const lineFeed = at + this.#leftBytes - 1;
    return lineFeed >= at + taken || bytes[lineFeed] === 0x0a;
  }

  #endLine(): boolean {
    const line = this.#line;
    this.#line = '';
    if (this.#stage === 'trailer-line') {
      if (line === '\r\n') this.#stage = 'done';
      this.#trailerLines += 1;
      return (line === '\r\n' || trailerLine.test(line)) && this.#trailerLines <= trailerLinesMax;
    }
    if (!sizeLine.test(line)) return false;
    const chunkBytes = Number.parseInt(line, 16);
    if (chunkBytes === 0) {
      this.#stage = 'trailer-line';
      return true;
    }
    this.#chunkBytes += chunkBytes;
    this.#leftBytes = chunkBytes + 2;
    this.#stage = 'stretch';
    return true;
  }
}

/** Twelve digits: 256 TiB, far inside what a JavaScript number counts exactly. Extensions have no meaning here. */
const sizeLine = /^[0-9A-Fa-f]{1,12}(?:;[\t -~]*)?\r\n$/;
const trailerLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*\r\n$/;
const lineBytesMax = 1_024;
const trailerLinesMax = 64;
