/**
 * The header lines of one request, read once: how the message is framed, and what they say of a read. Pure.
 * Immutable, so that requests which send the same lines share it.
 */
import type { RequestHead } from '../needle/request-head.ts';
import { readHeaders } from '../needle/request-headers.ts';
import { splitFields } from './field-lines.ts';

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
/** They end at a proxy: RFC 9110 section 7.6.1. */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]);
const plainConnection = /^(?:keep-alive|close)$/i;
const none: BodyFraming = { kind: 'none' };
const chunked: BodyFraming = { kind: 'chunked' };

export class HeaderBlock {
  /** As it came, latin1, with the blank line. */
  readonly text: string;
  /** Flat: name, value, name, value, …. */
  readonly rawHeaders: readonly string[];
  readonly body: BodyFraming;
  /** The client asked for `Connection: close`. */
  readonly close: boolean;
  #readHeaders: RequestHead['readHeaders'];
  #hops: 'none' | 'connection' | 'odd' | undefined;

  private constructor(text: string, rawHeaders: readonly string[], framing: Framing) {
    this.text = text;
    this.rawHeaders = rawHeaders;
    this.body = framing.body;
    this.close = framing.close;
  }

  /** `text`: header lines and the blank line; undefined: what two parsers could see differently. */
  static read(text: string): HeaderBlock | undefined {
    if (!headerLines.test(text)) return undefined;
    const rawHeaders = splitFields(text);
    const framing = readFraming(rawHeaders);
    if (framing?.body.kind === 'chunked' && oddChunks.test(text)) return undefined;
    return framing && new HeaderBlock(text, rawHeaders, framing);
  }

  get readHeaders(): RequestHead['readHeaders'] {
    this.#readHeaders ??= readHeaders(this.rawHeaders);
    return this.#readHeaders;
  }

  /** What of it ends at a proxy: nothing, a `Connection` that says keep-alive or close, or something rarer. */
  get hops(): 'none' | 'connection' | 'odd' {
    this.#hops ??= readHops(this.rawHeaders);
    return this.#hops;
  }
}

function readHops(rawHeaders: readonly string[]): 'none' | 'connection' | 'odd' {
  let hops: 'none' | 'connection' = 'none';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!hopByHop.has(name)) continue;
    const isPlain = name === 'connection' && plainConnection.test(rawHeaders[i + 1] as string);
    if (!isPlain) return 'odd';
    hops = 'connection';
  }
  return hops;
}

interface Framing {
  readonly body: BodyFraming;
  readonly close: boolean;
}

/** undefined: a message whose length or meaning two parsers could see differently. */
function readFraming(rawHeaders: readonly string[]): Framing | undefined {
  let hosts = 0;
  let body = none;
  let close = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1] as string;
    switch ((rawHeaders[i] as string).toLowerCase()) {
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
        if (/upgrade/i.test(value) || !isTokenList(value)) return undefined;
        close ||= hasCloseToken(value);
        break;
      case 'expect':
      case 'upgrade':
      case 'http2-settings':
      case 'proxy-connection':
        return undefined;
    }
  }
  if (hosts !== 1) return undefined;
  return { body, close };
}

/** Go also finds a token between blanks: what is no plain list is left to it. */
function isTokenList(value: string): boolean {
  return value.split(',').every((token) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]*$/.test(token.trim()));
}

function hasCloseToken(value: string): boolean {
  if (value.length === 10 && value.toLowerCase() === 'keep-alive') return false;
  return value.split(',').some((token) => token.trim().toLowerCase() === 'close');
}
