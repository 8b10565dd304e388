/**
 * Which requests go straight to the corridor: a GET or HEAD of a needle path without a body, whose headers are all
 * known here. Only a short cut: what is refused here takes the framework's way into the same corridor. Pure.
 */
import type { FramedRequest } from './request-framer.ts';

/** What SeaweedFS's own clients, and those in front of them, send with reads. */
const knownHeaders: ReadonlySet<string> = new Set([
  'host',
  'user-agent',
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'cache-control',
  'connection',
  'cookie',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'origin',
  'pragma',
  'range',
  'referer',
  'x-amz-request-id',
  'x-forwarded-for',
  'x-real-ip',
  'x-request-id',
  'traceparent',
  'tracestate',
]);

/** A volume id, then its separator: what a needle path looks like before it is parsed. */
const needlePath = /^\/[0-9]{1,20}[,/]/;
const plainConnection = /^(?:keep-alive|close)$/i;

export function isPlainRead(request: FramedRequest): boolean {
  const { method, target, rawHeaders } = request.head;
  if (request.body.kind !== 'none') return false;
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (!needlePath.test(target)) return false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    if (!knownHeaders.has(name)) return false;
    if (name === 'connection' && !plainConnection.test(rawHeaders[i + 1] as string)) return false;
  }
  return true;
}
