/**
 * Which requests the relay carries: those whose end is counted in bytes and whose headers, but for Connection, all go
 * on. The rest takes the framework's way. Pure.
 */
import type { FramedRequest } from '../lane/request-framer.ts';

/** Hop by hop, and so rare that they are not worth a second implementation. */
const odd: ReadonlySet<string> = new Set([
  'te',
  'trailer',
  'upgrade',
  'keep-alive',
  'proxy-connection',
]);
/** Of these names and of Connection: nearly all headers are told apart by it. */
const oddLengths: ReadonlySet<number> = new Set([...odd, 'connection'].map((name) => name.length));
const plainConnection = /^(?:keep-alive|close)$/i;

export function isRelayable({ body, head }: FramedRequest): boolean {
  if (body.kind === 'chunked') return false;
  const { rawHeaders } = head;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (!oddLengths.has(name.length)) continue;
    if (odd.has(name.toLowerCase())) return false;
    if (isConnection(name) && !plainConnection.test(rawHeaders[i + 1] as string)) return false;
  }
  return true;
}

/** The head cannot go on as it came: Connection ends here. */
export function hasConnection(rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (isConnection(name)) return true;
  }
  return false;
}

function isConnection(name: string): boolean {
  return name.length === 10 && name.toLowerCase() === 'connection';
}
