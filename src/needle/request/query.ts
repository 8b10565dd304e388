/** Go's url.Query and what the volume server reads from it (specification sections 3, 5.4, 8). */
import { atoi, parseBool } from './go-numbers.ts';
import { percentDecode } from './needle-path.ts';

/** First value by key; keys are case-sensitive. */
export type Query = ReadonlyMap<string, string>;

/** The meaning of a query for a read. */
export interface QueryFacts {
  /** response-* overrides: canonical header name and value. */
  readonly overrides: readonly Override[];
  readonly asAttachment: boolean;
  readonly wantsImageOperation: boolean;
  readonly manifestAsIs: boolean;
  /** '' if there is none. */
  readonly jwt: string;
}

export type Override = readonly [name: string, value: string];

export const nothingAsked: QueryFacts = {
  overrides: [],
  asAttachment: false,
  wantsImageOperation: false,
  manifestAsIs: false,
  jwt: '',
};

/** undefined: too many pairs, or overrides whose meaning is not certain. */
export function readQuery(rawQuery: string): QueryFacts | undefined {
  const query = parseQuery(rawQuery);
  const overrides = query && findOverrides(query);
  if (query === undefined || overrides === undefined) return undefined;
  return {
    overrides,
    asAttachment: asksAttachment(query),
    wantsImageOperation: asksImageOperation(query),
    manifestAsIs: query.get('cm') === 'false',
    jwt: query.get('jwt') ?? '',
  };
}

const noQuery: Query = new Map();
/** Go gives up on 10,000 pairs; no real client sends so many. */
const pairsMax = 1000;

/** undefined: too many pairs. Pairs with a semicolon or a bad escape are dropped, as Go drops them. */
export function parseQuery(rawQuery: string): Query | undefined {
  if (rawQuery === '') return noQuery;
  const pairs = rawQuery.split('&', pairsMax + 1);
  if (pairs.length > pairsMax) return undefined;
  const query = new Map<string, string>();
  for (const pair of pairs) {
    if (pair === '' || pair.includes(';')) continue;
    const equals = pair.indexOf('=');
    const key = queryUnescape(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : queryUnescape(pair.slice(equals + 1));
    if (key !== undefined && value !== undefined && !query.has(key)) query.set(key, value);
  }
  return query;
}

function queryUnescape(text: string): string | undefined {
  return percentDecode(text.includes('+') ? text.replaceAll('+', ' ') : text);
}

const overridableHeaders: ReadonlyMap<string, string> = new Map([
  ['response-cache-control', 'Cache-Control'],
  ['response-content-disposition', 'Content-Disposition'],
  ['response-content-encoding', 'Content-Encoding'],
  ['response-content-language', 'Content-Language'],
  ['response-content-type', 'Content-Type'],
  ['response-expires', 'Expires'],
]);

/** undefined: which of two spellings wins is random, or Go's Unicode lower-casing might apply. */
export function findOverrides(query: Query): readonly Override[] | undefined {
  const overrides = new Map<string, string>();
  for (const [key, value] of query) {
    if (/[\x80-\xff]/.test(key)) return undefined;
    const name = overridableHeaders.get(key.toLowerCase());
    if (name === undefined) continue;
    if (overrides.has(name)) return undefined;
    overrides.set(name, value);
  }
  return [...overrides];
}

/** `dl` asks for an attachment. */
export function asksAttachment(query: Query): boolean {
  return parseBool(query.get('dl') ?? '');
}

/** A resize or a crop box is asked for; whether it is done depends on the extension. */
export function asksImageOperation(query: Query): boolean {
  const number = (key: string): number => atoi(query.get(key) ?? '');
  if (number('width') > 0 || number('height') > 0) return true;
  const [x1, y1, x2, y2] = ['crop_x1', 'crop_y1', 'crop_x2', 'crop_y2'].map(number) as [
    number,
    number,
    number,
    number,
  ];
  return x1 >= 0 && y1 >= 0 && isAfter(x2, x1) && isAfter(y2, y1);
}

/** Where numbers are no longer exact, they count as a box: it is the volume server's then. */
function isAfter(end: number, start: number): boolean {
  return end > start || (end === start && !Number.isSafeInteger(end));
}
