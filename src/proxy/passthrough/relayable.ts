/**
 * Which requests the relay carries: those whose end is counted in bytes and whose headers, but for Connection, all go
 * on. What ends at a proxy else is so rare that it is not worth a second implementation: it takes the framework's way.
 * Pure.
 */
import type { FramedRequest } from '../lane/request-framer.ts';

export function isRelayable({ body, block }: FramedRequest): boolean {
  return body.kind !== 'chunked' && block.hops !== 'odd';
}

/** The head cannot go on as it came: Connection ends here. */
export function hasConnection({ block }: FramedRequest): boolean {
  return block.hops !== 'none';
}
