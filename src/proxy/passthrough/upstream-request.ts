/**
 * Options of http.request for a forwarded request. http-proxy-3 fills an object that it is given with its own reading
 * of the request: a path that went through a URL parser and headers that were joined and put in lower case. Both are
 * accessors here that keep the bytes as they came.
 */

import { answerHeadBytesMax } from '../../http1/answer-head.ts';
import { requestHeaders } from '../../http1/hop-by-hop.ts';
import type { RequestHead } from '../../http1/request-head.ts';

export function upstreamRequest(head: RequestHead): object {
  const { target } = head;
  const headers = requestHeaders(head.rawHeaders);
  return {
    get path(): string {
      return target;
    },
    set path(_ignored: string) {},
    get headers(): readonly string[] {
      return headers;
    },
    set headers(_ignored: unknown) {},
    // No Host, Connection, Content-Length or Transfer-Encoding of Node's own.
    setDefaultHeaders: false,
    // Longer ones are broken before Node sees their end.
    maxHeaderSize: answerHeadBytesMax(head) + 1_024,
    // Stored control bytes in answers fail here and are sent raw. `relaxed` would take most of them, but Node 24.21's
    // parser never comes back from a NUL in that mode.
    httpValidation: 'strict',
  };
}
