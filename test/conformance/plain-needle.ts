/**
 * Which recorded cases are plain live needles: those that the proxy must answer itself once it has learned what only the
 * volume server knows (DESIGN, law 1). Told from the request and the recorded answer alone, not by asking the product.
 */
import { answersOf, type RecordedCase } from './transcript.ts';

/** A needle path of the plainest forms; a file name may hold anything that a path may. */
const needlePath =
  /^\/\d+(,[0-9a-fA-F]{9,24}(_\d+)?(\.[^./,]*)?|\/[0-9a-fA-F]{9,24}(_\d+)?(\.[^./,]*|\/[^/?]*)?)$/;

/** Request headers that a plain read may carry. */
const plainHeaders = new Set([
  'accept',
  'accept-encoding',
  'authorization',
  'connection',
  'cookie',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'origin',
  'range',
  'user-agent',
  'x-amz-request-id',
]);

/** Query keys that do not change which bytes are meant. */
const plainQueryKey = /^(dl|jwt|cm|collection|proxied|response-[a-z-]+)$/i;

/** Pairs that touch what net/http itself sets are left to the volume server. */
export function isPlainNeedle(recorded: RecordedCase): boolean {
  const { request } = recorded;
  const answers = answersOf(recorded);
  const [answer] = answers;
  if (answer === undefined || answers.length > 1 || request.path === undefined) return false;
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (request.bodyB64 !== undefined || (request.version ?? 'HTTP/1.1') !== 'HTTP/1.1') return false;
  if (![200, 206, 304].includes(answer.status)) return false;
  const [path = '', query = ''] = request.path.split(/\?(.*)/s);
  if (!needlePath.test(path) || !isPlainQuery(query)) return false;
  const names = (request.headers ?? []).map(([name]) => name.toLowerCase());
  if (names.some((name) => !plainHeaders.has(name)) || new Set(names).size !== names.length) {
    return false;
  }
  const headerValue = (name: string): string | undefined =>
    answer.headers.find(([each]) => each === name)?.[1];
  if (headerValue('Etag') === '"00000000"' || headerValue('X-File-Store') !== undefined)
    return false;
  return answer.status === 304 || request.method === 'HEAD' || answer.bodyLength > 0;
}

function isPlainQuery(query: string): boolean {
  if (query === '') return true;
  return query.split('&').every((pair) => plainQueryKey.test(pair.split('=', 1)[0] as string));
}
