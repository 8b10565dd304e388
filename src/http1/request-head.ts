/** A request's head: its line and headers as they came, and what the header lines say, read once. Pure. */

import { splitFields } from './field-lines.ts';
import {
  continueExpected,
  type HeaderFault,
  offeredProtocol,
  plainOption,
  type ReadHeaders,
  readHeaders,
} from './request-headers.ts';

/** A request's line and headers as they came, latin1: one character is one byte. Nothing joined, nothing decoded. */
export interface RequestHead {
  readonly method: string;
  /** The request target, byte for byte. */
  readonly target: string;
  /** Flat: name, value, name, value, …; names as spelled, values trimmed of blanks. */
  readonly rawHeaders: readonly string[];
  /** The client speaks HTTP/1.0. */
  readonly http10?: boolean;
  /** The headers' meaning for a read, or why the fast path cannot answer it, where that is known already. */
  readonly readHeaders?: ReadHeaders | HeaderFault | undefined;
}

/** First value of a header, by RFC 9110 case-insensitive name (`lowerName` in lower case); Go reads only the first. */
export function firstHeader(head: RequestHead, lowerName: string): string | undefined {
  for (let i = 0; i + 1 < head.rawHeaders.length; i += 2) {
    const name = head.rawHeaders[i] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) {
      return head.rawHeaders[i + 1] as string;
    }
  }
  return undefined;
}

export type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

/** Names are tokens; values visible ASCII, blanks and tabs: other bytes Node would not reproduce in every header. */
const headerLines = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~]*\r\n)*\r\n$/;
const contentLength = /^[0-9]{1,15}$/;
/**
 * With chunks. A tab behind the word: the volume server drops it, llhttp keeps it and finds a coding that it does not
 * know. Trailer: the volume server refuses some names in it, and it ends here.
 */
const oddChunks = /^(?:transfer-encoding:[\t ]*chunked.*\t|trailer:)/im;
/** Go refuses other characters in Host with a text of its own. */
const hostValue = /^[-0-9A-Za-z.:_[\]]*$/;
/** Headers that end at a proxy: RFC 9110 section 7.6.1, RFC 7540 section 3.2.1. */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]);
/** Options of a Connection that can be taken off without a thought, and the headers that they name. */
const plainOptions = /^(?:(?:keep-alive|close|upgrade|http2-settings)(?:, ?|$))+$/i;
const plainHops: ReadonlySet<string> = new Set(['http2-settings', 'proxy-connection', 'upgrade']);
/** Headers of HTTP/1.1: a coding, or a question that its servers answer. In a request of HTTP/1.0 parsers differ about them. */
const notOf10: ReadonlySet<string> = new Set([
  'expect',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const none: BodyFraming = { kind: 'none' };
const chunked: BodyFraming = { kind: 'chunked' };

/** The header lines of one request. Immutable, so that requests which send the same lines share it. */
export class HeaderBlock {
  /** The block as it came, latin1, with the blank line. */
  readonly text: string;
  /** Flat: name, value, name, value, …. */
  readonly rawHeaders: readonly string[];
  readonly body: BodyFraming;
  /** The connection ends with the answer: the client asked for it, or speaks HTTP/1.0 and did not ask to keep it. */
  readonly close: boolean;
  /** True for a request of HTTP/1.0. */
  readonly http10: boolean;
  /** `Expect: 100-continue`: the client may wait for an interim answer before it sends the body. */
  readonly expectsContinue: boolean;
  /** `Upgrade: h2c`, which the volume server does not take. */
  readonly offersUpgrade: boolean;
  #readHeaders: RequestHead['readHeaders'];
  #hopsFound: Hops | undefined;

  private constructor(text: string, rawHeaders: readonly string[], framing: Framing) {
    this.text = text;
    this.rawHeaders = rawHeaders;
    this.body = framing.body;
    this.close = framing.close;
    this.http10 = framing.http10;
    this.expectsContinue = framing.expectsContinue;
    this.offersUpgrade = framing.offersUpgrade;
  }

  /** `text`: header lines and the blank line; undefined: what two parsers could see differently. */
  static read(text: string, http10: boolean): HeaderBlock | undefined {
    if (!headerLines.test(text)) return undefined;
    const rawHeaders = splitFields(text);
    const framing = readFraming(rawHeaders, http10);
    if (framing?.body.kind === 'chunked' && oddChunks.test(text)) return undefined;
    return framing && new HeaderBlock(text, rawHeaders, framing);
  }

  get readHeaders(): RequestHead['readHeaders'] {
    this.#readHeaders ??= readHeaders(this.rawHeaders, this.http10);
    return this.#readHeaders;
  }

  /**
   * The relay carries the request: its end is counted in bytes, and its headers all go on, but for Connection and the
   * like. Other hop-by-hop headers are too rare to implement twice: they take the framework's way.
   */
  get isRelayable(): boolean {
    return this.http10 || (this.body.kind !== 'chunked' && this.#hops !== 'odd');
  }

  /**
   * The head cannot go on as it came: something in it ends here. A request of HTTP/1.0 goes on as such, so that the
   * answer is what its client can read; what it says of its connection holds for the volume server's, too.
   */
  get hasHops(): boolean {
    return !this.http10 && this.#hops !== 'none';
  }

  get #hops(): Hops {
    this.#hopsFound ??= readHops(this.rawHeaders);
    return this.#hopsFound;
  }
}

/** The headers of a block that end at a proxy: none, those that are simply removed, or rarer ones. */
type Hops = 'none' | 'plain' | 'odd';

function readHops(rawHeaders: readonly string[]): Hops {
  let hops: Hops = 'none';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!hopByHop.has(name)) continue;
    const isPlain =
      plainHops.has(name) ||
      (name === 'connection' && plainOptions.test(rawHeaders[i + 1] as string));
    if (!isPlain) return 'odd';
    hops = 'plain';
  }
  return hops;
}

type Framing = Pick<HeaderBlock, 'body' | 'close' | 'http10' | 'expectsContinue' | 'offersUpgrade'>;

/**
 * undefined: a message whose length or meaning two parsers could see differently. HTTP/1.0 has one plain option for the
 * connection, no coding, and nothing that an HTTP/1.1 server may answer to.
 */
function readFraming(rawHeaders: readonly string[], http10: boolean): Framing | undefined {
  let hosts = 0;
  let body = none;
  let close = http10;
  let hasOptions = false;
  let expectsContinue = false;
  let offersUpgrade = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (http10 && notOf10.has(name)) return undefined;
    switch (name) {
      case 'host':
        hosts += 1;
        if (!hostValue.test(value)) return undefined;
        break;
      case 'content-length':
        if (body.kind !== 'none' || !contentLength.test(value)) return undefined;
        body = { kind: 'length', bytes: Number(value) };
        break;
      case 'transfer-encoding':
        if (body.kind !== 'none' || value.toLowerCase() !== 'chunked') return undefined;
        body = chunked;
        break;
      case 'connection':
        if (http10 ? hasOptions || !plainOption.test(value) : !isTokenList(value)) return undefined;
        close = (hasOptions && close) || hasCloseToken(value);
        hasOptions = true;
        break;
      case 'expect':
        if (expectsContinue || !continueExpected.test(value)) return undefined;
        expectsContinue = true;
        break;
      case 'upgrade':
        if (offersUpgrade || !offeredProtocol.test(value)) return undefined;
        offersUpgrade = true;
        break;
      case 'proxy-connection':
        // Some parsers read it as Connection.
        if (value.toLowerCase() !== 'keep-alive') return undefined;
        break;
    }
  }
  if (hosts > 1 || (hosts === 0 && !http10)) return undefined;
  return { body, close, http10, expectsContinue, offersUpgrade };
}

/** Go also finds a token between blanks: what is no plain list is left to it. */
function isTokenList(value: string): boolean {
  return value.split(',').every((token) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/.test(token.trim()));
}

function hasCloseToken(value: string): boolean {
  if (value.length === 10 && value.toLowerCase() === 'keep-alive') return false;
  return value.split(',').some((token) => token.trim().toLowerCase() === 'close');
}
