/** The needle's pairs: a JSON object that becomes headers (specification 5.2). */
import { isUtf8 } from 'node:buffer';
import { canonicalHeaderName, isHeaderName } from './header-order.ts';

/** Canonical name and value, both latin1. */
export type PairHeaders = ReadonlyMap<string, string>;

const noPairs: PairHeaders = new Map();

/** Headers that net/http treats in its own way, or that differ in each answer. */
const ownHeaders: ReadonlySet<string> = new Set([
  'Date',
  'Server',
  'X-Amz-Request-Id',
  'Connection',
  'Transfer-Encoding',
  'Trailer',
]);

/** Go's decoder stops at a depth of 10,000; what is nested at all is a value without meaning here. */
const nestingMax = 100;

/** undefined: not to be reproduced here. What is no JSON object of strings gives no headers, or empty ones. */
export function pairHeaders(pairs: string): PairHeaders | undefined {
  if (pairs === '') return noPairs;
  const bytes = Buffer.from(pairs, 'latin1');
  if (!isUtf8(bytes)) return undefined;
  if (pairs.split(/[[{]/, nestingMax + 1).length > nestingMax) return undefined;
  const parsed = parseObject(bytes.toString('utf8'));
  if (parsed === undefined) return noPairs;
  const headers = new Map<string, string>();
  for (const [key, value] of Object.entries(parsed)) {
    const name = canonicalHeaderName(Buffer.from(key, 'utf8').toString('latin1'));
    if (ownHeaders.has(name) || name.startsWith('Trailer:')) return undefined;
    if (!isHeaderName(name)) continue;
    // Two spellings of one name: a random one of them wins.
    if (headers.has(name)) return undefined;
    headers.set(
      name,
      typeof value === 'string' ? Buffer.from(value, 'utf8').toString('latin1') : '',
    );
  }
  return headers;
}

/** undefined: no JSON, or no object. */
function parseObject(text: string): object | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}
