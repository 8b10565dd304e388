/**
 * Chooses the requests that an operator wants to see: what `/api/requests` takes as its query, and `seaweed-rdma log`
 * as options. Pure.
 */
import { BlockList, isIP } from 'node:net';
import { reasons } from '../../needle/reasons.ts';
import { outcomes } from '../../needle/request-record.ts';
import {
  amount,
  described,
  flag,
  input,
  optional,
  refined,
  text,
  type ValueOf,
} from '../../schema/json-schema.ts';
import type { RequestEntry } from '../traffic/request-entry.ts';

const word = refined(text, { minLength: 1, maxLength: 256 });

/** Lists are separated by commas; what is absent lets everything through. */
export const requestFilterQuery = input({
  outcome: optional(
    described(word, 'cache, rdma, passthrough, error; several separated by commas.'),
  ),
  reason: optional(described(word, 'Reasons of docs/reasons.md, separated by commas.')),
  client: optional(described(word, 'Addresses or networks: 10.0.0.5,10.1.0.0/16.')),
  agent: optional(described(word, 'A part of the User-Agent.')),
  volume: optional(described(word, 'Volume ids, separated by commas.')),
  method: optional(described(word, 'GET, HEAD, …; raw: connections that were piped unread.')),
  status: optional(described(word, '404, or 5xx; several separated by commas.')),
  minDurationMs: optional(amount),
  path: optional(described(word, 'A part of the path as it is shown, masked.')),
  own: optional(
    described(refined(flag, { default: false }), "True: also requests of this package's programs."),
  ),
});
export type RequestFilterQuery = ValueOf<typeof requestFilterQuery>;

export type RequestFilter = (entry: RequestEntry) => boolean;

export type ParsedFilter =
  | { readonly kind: 'filter'; readonly matches: RequestFilter }
  | { readonly kind: 'wrong'; readonly detail: string };

class WrongValue extends Error {}

export function requestFilter(query: RequestFilterQuery): ParsedFilter {
  try {
    const parts = partsOf(query);
    return { kind: 'filter', matches: (entry) => parts.every((matches) => matches(entry)) };
  } catch (error) {
    if (error instanceof WrongValue) return { kind: 'wrong', detail: error.message };
    throw error;
  }
}

function partsOf(query: RequestFilterQuery): readonly RequestFilter[] {
  const { agent, minDurationMs, path, own = false } = query;
  const parts: (RequestFilter | undefined)[] = [
    own ? undefined : ({ isOwn }) => !isOwn,
    oneOf(query.outcome, outcomes, 'outcome', ({ outcome }) => outcome),
    oneOf(query.reason, reasons, 'reason', ({ reason }) => reason),
    clientFilter(query.client),
    agent === undefined ? undefined : ({ userAgent }) => userAgent.includes(agent),
    volumeFilter(query.volume),
    methodFilter(query.method),
    statusFilter(query.status),
    minDurationMs === undefined ? undefined : ({ durationMs }) => durationMs >= minDurationMs,
    // The masked path: a filter must not find out a cookie digit by digit.
    path === undefined ? undefined : (entry) => entry.path.includes(path),
  ];
  return parts.filter((part) => part !== undefined);
}

function oneOf(
  text: string | undefined,
  known: readonly string[],
  name: string,
  of: (entry: RequestEntry) => string,
): RequestFilter | undefined {
  if (text === undefined) return undefined;
  const wanted = new Set(words(text));
  for (const word of wanted) {
    if (known.includes(word)) continue;
    throw new WrongValue(`${name} "${word}" is none of ${known.join(', ')}`);
  }
  return (entry) => wanted.has(of(entry));
}

function clientFilter(text: string | undefined): RequestFilter | undefined {
  if (text === undefined) return undefined;
  const wanted = new BlockList();
  for (const word of words(text)) addNetwork(wanted, word);
  return ({ client }) => {
    const family = isIP(client);
    return family !== 0 && wanted.check(client, family === 4 ? 'ipv4' : 'ipv6');
  };
}

function addNetwork(list: BlockList, word: string): void {
  const [address = '', bits] = word.split('/');
  const family = isIP(address);
  const bitsMax = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? bitsMax : Number(bits);
  if (family === 0 || !/^\d{1,3}$/.test(bits ?? '0') || prefix > bitsMax) {
    throw new WrongValue(
      `client "${word}" is no address and no network: 10.0.0.5, fd00::1 or 10.0.0.0/8`,
    );
  }
  list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
}

function volumeFilter(text: string | undefined): RequestFilter | undefined {
  if (text === undefined) return undefined;
  const wanted = new Set(
    words(text).map((word) => {
      if (!/^\d{1,10}$/.test(word)) throw new WrongValue(`volume "${word}" is no volume id`);
      return Number(word);
    }),
  );
  return ({ volumeId }) => volumeId !== null && wanted.has(volumeId);
}

function methodFilter(text: string | undefined): RequestFilter | undefined {
  if (text === undefined) return undefined;
  const wanted = new Set(words(text).map((word) => word.toUpperCase()));
  return ({ method }) => wanted.has(method === '' ? 'RAW' : method);
}

function statusFilter(text: string | undefined): RequestFilter | undefined {
  if (text === undefined) return undefined;
  const ranges = words(text).map((word) => {
    if (/^[1-5]xx$/i.test(word)) return { from: Number(word[0]) * 100, upTo: 99 };
    if (/^[1-9]\d\d$/.test(word)) return { from: Number(word), upTo: 0 };
    throw new WrongValue(
      `status "${word}" is neither a status such as 404 nor a class such as 5xx`,
    );
  });
  return ({ status }) =>
    status !== null && ranges.some(({ from, upTo }) => status >= from && status <= from + upTo);
}

function words(text: string): readonly string[] {
  const all = text.split(',').map((word) => word.trim());
  return all.filter((word) => word !== '');
}
