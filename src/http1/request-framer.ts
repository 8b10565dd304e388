/**
 * The unread bytes of a connection, and the request's head at their start with who may handle it. A strict recogniser, not
 * a general parser: what is not understood with certainty is `raw`, and goes to the volume server unread. Pure.
 * RFC 9112 sections 2 to 7; what the volume server accepts beyond that: specification section 12.
 */

import { type BodyFraming, HeaderBlock, type RequestHead } from './request-head.ts';

export interface FramedRequest {
  readonly kind: 'request';
  readonly head: RequestHead;
  /** Head bytes, blank line included. */
  readonly headBytes: number;
  readonly body: BodyFraming;
  /** The connection ends with the answer. */
  readonly close: boolean;
  /** The parsed headers, shared by all requests of a connection that send the same ones. */
  readonly block: HeaderBlock;
}

export type FramerVerdict =
  | FramedRequest
  | { readonly kind: 'incomplete' }
  /** `target`: the second word of the first line, for choosing a volume server; '/' if there is none. */
  | { readonly kind: 'raw'; readonly target: string };

/** The methods that Node's parser knows and gives back as spelled; CONNECT and PRI it treats apart. */
const methods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
]);

const requestLine = /^([A-Z]+) (\/[!"$-~]*) HTTP\/1\.([01])\r\n/;
const plainStart = 'GET /';
const plainEnd = ' HTTP/1.1\r\n';
/** A longer line is no plain read's: rather a body came with the head. */
const lineBytesMax = 1_024;
/** A longer head is read each time. */
const rememberedBytesMax = 4_096;
const incomplete: FramerVerdict = { kind: 'incomplete' };

/** One per connection: it remembers the headers of the request before, which most clients send again. */
export class RequestFramer {
  readonly #headBytesMax: number;
  #last: HeaderBlock | undefined;

  constructor(headBytesMax: number) {
    this.#headBytesMax = headBytesMax;
  }

  /**
   * @param bytes all unread bytes of the connection, at least one
   * @param scannedBytes how many of them an earlier call called `incomplete`
   */
  frame(bytes: Buffer, scannedBytes: number): FramerVerdict {
    return (
      (scannedBytes === 0 ? this.#frameAgain(bytes) : undefined) ??
      this.#frameAnew(bytes, scannedBytes)
    );
  }

  /** One GET and nothing behind it, with the headers of the request before, byte for byte. */
  #frameAgain(bytes: Buffer): FramedRequest | undefined {
    const block = this.#last;
    if (block === undefined || block.http10 || bytes.length > this.#headBytesMax) return undefined;
    const lineBytes = bytes.length - block.text.length;
    if (lineBytes < plainStart.length + plainEnd.length || lineBytes > lineBytesMax) {
      return undefined;
    }
    const text = bytes.toString('latin1');
    if (!text.endsWith(block.text) || !text.startsWith(plainStart)) return undefined;
    const targetEnd = lineBytes - plainEnd.length;
    if (!text.startsWith(plainEnd, targetEnd)) return undefined;
    for (let at = plainStart.length; at < targetEnd; at += 1) {
      if (!isTargetCode(text.charCodeAt(at))) return undefined;
    }
    return requestOf('GET', text.slice(plainStart.length - 1, targetEnd), block, bytes.length);
  }

  #frameAnew(bytes: Buffer, scannedBytes: number): FramerVerdict {
    const end = bytes.indexOf('\r\n\r\n', Math.max(0, scannedBytes - 3), 'latin1');
    if (end < 0) {
      if (bytes.length > this.#headBytesMax) return raw(bytes);
      return this.#isStillPlausible(bytes, scannedBytes) ? incomplete : raw(bytes);
    }
    const headBytes = end + 4;
    if (headBytes > this.#headBytesMax) return raw(bytes);
    return this.#readHead(bytes.toString('latin1', 0, headBytes), headBytes) ?? raw(bytes);
  }

  #readHead(text: string, headBytes: number): FramedRequest | undefined {
    const line = requestLine.exec(text) as unknown as RequestLine | null;
    if (line === null) return undefined;
    const [whole, method, target, minor] = line;
    if (!methods.has(method)) return undefined;
    const block = this.#blockOf(text.slice(whole.length), minor === '0');
    return block && requestOf(method, target, block, headBytes);
  }

  #blockOf(text: string, http10: boolean): HeaderBlock | undefined {
    const last = this.#last;
    if (last?.text === text && last.http10 === http10) return last;
    const block = HeaderBlock.read(text, http10);
    if (block !== undefined && text.length <= rememberedBytesMax) this.#last = block;
    return block;
  }

  /** Go answers some mistakes before the blank line: those must not wait here for a head that never ends. */
  #isStillPlausible(bytes: Buffer, scannedBytes: number): boolean {
    let lineFeed = bytes.indexOf(0x0a, scannedBytes);
    if (lineFeed < 0) return true;
    const isFirst = bytes.indexOf(0x0a) === lineFeed;
    if (isFirst && !requestLine.test(bytes.toString('latin1', 0, lineFeed + 1))) {
      return false;
    }
    while (lineFeed >= 0) {
      if (lineFeed === 0 || bytes[lineFeed - 1] !== 0x0d) return false;
      lineFeed = bytes.indexOf(0x0a, lineFeed + 1);
    }
    return true;
  }
}

type RequestLine = readonly [whole: string, method: string, target: string, minor: string];

/** Tests a character of the target, as in `requestLine`. */
function isTargetCode(code: number): boolean {
  return code >= 0x21 && code <= 0x7e && code !== 0x23;
}

function requestOf(
  method: string,
  target: string,
  block: HeaderBlock,
  headBytes: number,
): FramedRequest {
  const { rawHeaders, body, close, http10 } = block;
  const isRead = method === 'GET' || method === 'HEAD';
  const readHeaders = isRead ? block.readHeaders : undefined;
  const head = { method, target, rawHeaders, http10, readHeaders };
  return { kind: 'request', head, headBytes, body, close, block };
}

function raw(bytes: Buffer): FramerVerdict {
  const firstLine = bytes.toString('latin1', 0, 8_192).split('\n', 1)[0] as string;
  return { kind: 'raw', target: firstLine.split(' ')[1]?.trim() || '/' };
}

const empty: Buffer = Buffer.alloc(0);

/** A buffer has so much beyond the bytes in it, so that a head that comes byte by byte costs linear time. */
const spareBytesMax = 4_096;

/** Bytes that arrived on a connection and were not looked at yet. Never moves or overwrites bytes that it handed out. */
export class InputBuffer {
  #bytes: Buffer = empty;
  #start = 0;
  #end = 0;
  /** A chunk that a socket read belongs to another owner; only a buffer of our own is written into. */
  #owned = false;

  get length(): number {
    return this.#end - this.#start;
  }

  /** The buffered bytes; the view stays valid and unchanged after later calls. */
  view(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  append(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#end + chunk.length > this.#bytes.length || !this.#owned) this.#move(chunk.length);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  consume(byteCount: number): void {
    this.#start += byteCount;
    if (this.#start < this.#end) return;
    this.#bytes = empty;
    this.#owned = false;
    this.#start = 0;
    this.#end = 0;
  }

  clear(): void {
    this.consume(this.length);
  }

  /** Lets go of a large buffer that a few bytes keep. */
  trim(): void {
    if (this.#bytes.length > 4 * (this.length + spareBytesMax)) this.#move(0);
  }

  /** Carriage returns and line feeds at the start, so many at most; returns how many there were. */
  consumeLineEnds(countMax: number): number {
    const bytes = this.view();
    let count = 0;
    while (count < countMax && (bytes[count] === 0x0d || bytes[count] === 0x0a)) count += 1;
    this.consume(count);
    return count;
  }

  /** To a buffer of its own. */
  #move(moreBytes: number): void {
    const bytes = this.length;
    const needed = bytes + moreBytes;
    const spare = Math.min(needed, spareBytesMax);
    const moved = Buffer.allocUnsafeSlow(Math.max(1_024, needed + spare));
    this.#bytes.copy(moved, 0, this.#start, this.#end);
    this.#bytes = moved;
    this.#owned = true;
    this.#start = 0;
    this.#end = bytes;
  }
}
