/**
 * Which recorded cases are plain live needles: those that the proxy must answer itself once it has learned what only the
 * volume server knows (docs/architecture.md, law 1). Told from the request and the recorded answer alone, not by asking
 * the product.
 */
import {
  answersOf,
  type HeaderList,
  type RecordedAnswer,
  type RecordedCase,
} from './transcript.ts';

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

/** `volumeIds`: what the server lists in its status, which is neither erasure coded nor on another server. */
export function isPlainNeedle(recorded: RecordedCase, volumeIds: ReadonlySet<number>): boolean {
  const { request } = recorded;
  const answers = answersOf(recorded);
  const [answer] = answers;
  if (answer === undefined || answers.length > 1 || request.path === undefined) return false;
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  if (request.bodyB64 !== undefined || (request.version ?? 'HTTP/1.1') !== 'HTTP/1.1') return false;
  if (![200, 206, 304].includes(answer.status)) return false;
  const [path = '', query = ''] = request.path.split(/\?(.*)/s);
  if (!needlePath.test(path) || !isPlainQuery(query)) return false;
  const volumeId = Number(BigInt.asUintN(32, BigInt(/\d+/.exec(path)?.[0] ?? 0)));
  if (!volumeIds.has(volumeId)) return false;
  const names = (request.headers ?? []).map(([name]) => name.toLowerCase());
  if (names.some((name) => !plainHeaders.has(name)) || new Set(names).size !== names.length) {
    return false;
  }
  return isPlainAnswer(recorded, answer);
}

/** A manifest that is broken is sent as any needle is, which its answer does not show: the proxy passes all manifests. */
const brokenManifest = /:cm_bad/;

function isPlainAnswer(recorded: RecordedCase, answer: RecordedAnswer): boolean {
  const { method, headers = [] } = recorded.request;
  const headerValue = (list: HeaderList, name: string): string | undefined =>
    list.find(([each]) => each === name)?.[1];
  if (
    brokenManifest.test(recorded.name) &&
    headerValue(answer.headers, 'X-File-Store') === undefined
  ) {
    return false;
  }
  // Empty needles have no cookie to compare; what cannot be inflated is sent without a byte.
  const length = headerValue(answer.headers, 'Content-Length');
  if (answer.status !== 304 && (length === undefined || length === '0')) return false;
  if (headerValue(headers, 'If-None-Match') === '"00000000"') return false;
  if (headerValue(answer.headers, 'X-File-Store') !== undefined) return false;
  // Pairs that touch what net/http itself sets.
  const closes = headerValue(answer.headers, 'Connection') !== headerValue(headers, 'Connection');
  const isServer = headerValue(answer.headers, 'Server') === 'SeaweedFS Volume 30GB 4.44';
  const isRequestId = /^[0-9A-F]{24}$/.test(headerValue(answer.headers, 'X-Amz-Request-Id') ?? '');
  if (closes || !isServer || !isRequestId || answer.framing === 'chunked') return false;
  return method === 'HEAD' || answer.status === 304 || answer.bodyLength > 0;
}

function isPlainQuery(query: string): boolean {
  if (query === '') return true;
  return query.split('&').every((pair) => plainQueryKey.test(pair.split('=', 1)[0] as string));
}
