/**
 * Counts which bytes of a connection belong to the request in hand, so that not one of the next request's is handed
 * on with it. RFC 9112 sections 6 and 7.1. What Node's parser could count differently is broken.
 */
import type { BodyFraming } from './request-head.ts';

/** Where content begins and ends in the bytes that are taken. */
export type OnContent = (from: number, to: number) => void;

export class RequestBody {
  /** Bytes of the current stretch that are still to come; chunked: of the chunk and its CRLF. */
  #leftBytes = 0;
  /** The size line so far: its bytes, the digits among them and their value. */
  #lineBytes = 0;
  #digitCount = 0;
  #chunkSize = 0;
  #linePart: 'digits' | 'extension' | 'line-feed' = 'digits';
  #trailerLine = '';
  #trailerLines = 0;
  #trailers = '';
  #chunkBytes = 0;
  #framingBytes = 0;
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

  /** Bytes of size lines, of the line ends behind chunks that have begun, and of trailers. */
  get framingBytes(): number {
    return this.#framingBytes + this.#lineBytes + this.#trailerLine.length;
  }

  get done(): boolean {
    return this.#stage === 'done';
  }

  /** The lines behind the last chunk so far, with their ends; latin1. */
  get trailers(): string {
    return this.#trailers;
  }

  /**
   * How many of the bytes, from their start, belong to this body; undefined: its framing is broken.
   *
   * @param onContent called with each stretch of `bytes` that is content; no Buffer, since a stretch may be one byte
   */
  take(bytes: Buffer, onContent?: OnContent): number | undefined {
    let at: number | undefined = 0;
    while (at !== undefined && at < bytes.length && this.#stage !== 'done') {
      if (this.#stage === 'stretch') at = this.#takeStretch(bytes, at, onContent);
      else if (this.#stage === 'size-line') at = this.#takeSizeLine(bytes, at);
      else at = this.#takeTrailerLine(bytes, at);
    }
    return at;
  }

  #takeStretch(bytes: Buffer, at: number, onContent: OnContent | undefined): number | undefined {
    const taken = Math.min(this.#leftBytes, bytes.length - at);
    if (this.#chunked && !this.#endsInCrlf(bytes, at, taken)) return undefined;
    onContent?.(at, at + Math.min(taken, this.#contentLeftBytes));
    this.#leftBytes -= taken;
    if (this.#leftBytes === 0) this.#stage = this.#chunked ? 'size-line' : 'done';
    return at + taken;
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

  /**
   * Reads `1*12HEXDIG [ ";" extension ] CRLF` byte by byte: a body may have a size line for each of its bytes, and a
   * string for each would take the event loop seconds.
   */
  #takeSizeLine(bytes: Buffer, from: number): number | undefined {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      this.#lineBytes += 1;
      if (this.#lineBytes > lineBytesMax) return undefined;
      if (this.#linePart === 'line-feed') {
        if (byte !== 0x0a) return undefined;
        this.#beginChunk();
        return at + 1;
      }
      if (byte === 0x0d && this.#digitCount > 0) {
        this.#linePart = 'line-feed';
      } else if (this.#linePart === 'extension') {
        if (byte !== 0x09 && (byte < 0x20 || byte > 0x7e)) return undefined;
      } else if (byte === 0x3b && this.#digitCount > 0) {
        this.#linePart = 'extension';
      } else {
        const digit = hexDigits[byte] as number;
        this.#digitCount += 1;
        if (digit < 0 || this.#digitCount > digitsMax) return undefined;
        this.#chunkSize = this.#chunkSize * 16 + digit;
      }
    }
    return bytes.length;
  }

  #beginChunk(): void {
    const chunkBytes = this.#chunkSize;
    this.#framingBytes += this.#lineBytes;
    this.#lineBytes = 0;
    this.#digitCount = 0;
    this.#chunkSize = 0;
    this.#linePart = 'digits';
    if (chunkBytes === 0) {
      this.#stage = 'trailer-line';
      return;
    }
    this.#chunkBytes += chunkBytes;
    this.#framingBytes += 2;
    this.#leftBytes = chunkBytes + 2;
    this.#stage = 'stretch';
  }

  #takeTrailerLine(bytes: Buffer, at: number): number | undefined {
    const lineFeed = bytes.indexOf(0x0a, at);
    const lineEnd = lineFeed < 0 ? bytes.length : lineFeed + 1;
    this.#trailerLine += bytes.toString('latin1', at, lineEnd);
    if (this.#trailerLine.length > lineBytesMax) return undefined;
    if (lineFeed < 0) return lineEnd;
    const line = this.#trailerLine;
    this.#trailerLine = '';
    this.#trailerLines += 1;
    this.#framingBytes += line.length;
    if (line === '\r\n') this.#stage = 'done';
    else if (trailerLine.test(line)) this.#trailers += line;
    else return undefined;
    return this.#trailerLines <= trailerLinesMax ? lineEnd : undefined;
  }
}

/** Twelve digits: 256 TiB, far inside what a JavaScript number counts exactly. Extensions have no meaning here. */
const digitsMax = 12;
/** Value of each byte as a hexadecimal digit; -1: it is none. */
const hexDigits = Int8Array.from({ length: 256 }, (_, byte) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(byte).toLowerCase()),
);
const trailerLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*\r\n$/;
const lineBytesMax = 1_024;
const trailerLinesMax = 64;
