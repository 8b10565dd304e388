/**
 * Requests that the volume server ends without an answer: its handler panics on a slice or a length, and Go closes the
 * connection (specification sections 3 and 6.4). For any other request a closed connection is a fault of the server's.
 */
import { firstHeader, type RequestHead } from '../../http1/request-head.ts';
import { handlerPath, splitTarget } from '../request/needle-path.ts';

export function endsUnanswered(head: RequestHead): boolean {
  const path = handlerPath(splitTarget(head.target).rawPath);
  if (path !== undefined && panicsOnPath(path)) return true;
  return head.method === 'GET' && hasNegativeSuffix(head);
}

/** Go: weed/server parseURLPath. It looks for comma and dot behind the last slash, and counts from the first byte. */
function panicsOnPath(path: string): boolean {
  const slashes = path.split('/').length - 1;
  if (slashes === 2 || slashes === 3) return false;
  const slashAt = path.lastIndexOf('/');
  const segment = path.slice(slashAt);
  const commaAt = segment.lastIndexOf(',');
  if (commaAt <= 0) return false;
  if (slashAt + 1 > commaAt) return true;
  const dotAt = segment.lastIndexOf('.');
  return dotAt > 0 && commaAt + 1 > dotAt;
}

/** `bytes=--5` of a needle that is streamed: a copy of a negative length. */
function hasNegativeSuffix(head: RequestHead): boolean {
  return /^bytes=\s*-\s*-/.test(firstHeader(head, 'range') ?? '');
}
