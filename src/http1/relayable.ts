/**
 * Which requests the relay carries: those whose end is counted in bytes and whose headers all go on, but for Connection
 * and the like. Other hop-by-hop headers are too rare to implement twice: they take the framework's way. Pure.
 */
import type { FramedRequest } from './request-framer.ts';

export function isRelayable({ body, block }: FramedRequest): boolean {
  return block.http10 || (body.kind !== 'chunked' && block.hops !== 'odd');
}

/**
 * The head cannot go on as it came: something in it ends here. A request of HTTP/1.0 goes on as such, so that the answer
 * is what its client can read; what it says of its connection holds for the volume server's, too.
 */
export function hasHops({ block }: FramedRequest): boolean {
  return !block.http10 && block.hops !== 'none';
}
