import type { HeaderFault, ReadHeaders } from './request-headers.ts';

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
