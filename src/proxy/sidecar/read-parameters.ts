/** Query or JSON → which bytes of which needle. Pure. */

import { parseUint64 } from '../../needle/request/go-numbers.ts';
import { parseNeedlePath } from '../../needle/request/needle-path.ts';
import type { Query } from '../../needle/request/query.ts';
import { badParameter, beyondTheEnd, type SidecarRefusal } from './refusal.ts';

export interface SidecarRead {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly cookie: number;
  /** `<vid>,<fid>` as a volume server reads it: with `_delta`, without extension. */
  readonly fid: string;
  /** Without `_delta`: what a token's claim must equal. */
  readonly claimedFid: string;
  readonly offset: number;
  /** undefined: to the end. */
  readonly size: number | undefined;
  /** '' where the client names none. */
  readonly volumeServer: string;
}

const wantedFid = 'expected a file id such as 3,01637037d6';
const fidPattern = /^(\d{1,10}),([0-9A-Fa-f]{9,24})(_\d{1,20})?(\.[\w.-]*)?$/;
const u32Max = 0xffff_ffffn;
/** No needle is longer, decoded or not. */
const offsetMax = 2n ** 40n;

export function parseReadQuery(query: Query): SidecarRead | SidecarRefusal {
  const fid = fidOf(query);
  if (typeof fid !== 'string') return fid;
  const path = parseNeedlePath(`/${fid}`);
  if (path === undefined) return badParameter('file_id', wantedFid);
  const offset = unsigned(query, 'offset') ?? 0n;
  if (typeof offset !== 'bigint') return offset;
  const size = unsigned(query, 'size') ?? 0n;
  if (typeof size !== 'bigint') return size;
  if (offset >= offsetMax) return beyondTheEnd(offset);
  return {
    volumeId: path.volumeId,
    needleId: path.needleId,
    cookie: path.cookie,
    fid,
    claimedFid: path.claimedFid,
    offset: Number(offset),
    size: size === 0n ? undefined : Number(size < offsetMax ? size : offsetMax),
    volumeServer: query.get('volume_server') ?? '',
  };
}

/** Without extension. */
function fidOf(query: Query): string | SidecarRefusal {
  const fileId = query.get('file_id');
  if (fileId !== undefined && fileId !== '') {
    const parts = fidPattern.exec(fileId);
    if (parts === null) return badParameter('file_id', wantedFid);
    const [, volume = '', idAndCookie = '', delta = ''] = parts;
    if (BigInt(volume) > u32Max) return badParameter('file_id', 'its volume id is over 32 bits');
    return `${volume},${idAndCookie}${delta}`;
  }
  const volume = identity(query, 'volume', 32);
  if (typeof volume !== 'bigint') return volume;
  const needle = identity(query, 'needle', 64);
  if (typeof needle !== 'bigint') return needle;
  const cookie = identity(query, 'cookie', 32);
  if (typeof cookie !== 'bigint') return cookie;
  return `${volume},${needle.toString(16).padStart(2, '0')}${cookie.toString(16).padStart(8, '0')}`;
}

/** Decimal, or hexadecimal behind 0x. */
function identity(query: Query, name: string, bits: number): bigint | SidecarRefusal {
  const text = query.get(name) ?? '';
  if (text === '') return badParameter(name, 'missing; give file_id, or volume, needle and cookie');
  const isNumber = /^\d{1,20}$|^0[xX][0-9A-Fa-f]{1,16}$/.test(text);
  const value = isNumber ? BigInt(text) : undefined;
  if (value !== undefined && value < 2n ** BigInt(bits)) return value;
  return badParameter(name, `expected a number of ${bits} bits, decimal or behind 0x`);
}

/** undefined: absent. */
function unsigned(query: Query, name: string): bigint | SidecarRefusal | undefined {
  const text = query.get(name);
  if (text === undefined || text === '') return undefined;
  const value = parseUint64(text);
  return value ?? badParameter(name, 'expected a number from 0 to 18446744073709551615');
}

/** A decimal number from 1 to `max`; `initial` where it is absent. */
export function parseCount(
  query: Query,
  name: string,
  initial: number,
  max: number,
): number | SidecarRefusal {
  const value = unsigned(query, name) ?? BigInt(initial);
  if (typeof value !== 'bigint') return value;
  if (value >= 1n && value <= BigInt(max)) return Number(value);
  return badParameter(name, `expected 1 to ${max}`);
}

const bodyKeys: Readonly<Record<string, string>> = {
  file_id: 'file_id',
  volume_id: 'volume',
  needle_id: 'needle',
  cookie: 'cookie',
  offset: 'offset',
  size: 'size',
  volume_server: 'volume_server',
};

/** The JSON body of a POST, as the query that says the same. Numbers keep all their digits. */
export function parseReadBody(text: string): Query | SidecarRefusal {
  const wanted = `expected a JSON object with ${Object.keys(bodyKeys).join(', ')}`;
  let body: unknown;
  try {
    body = JSON.parse(text, exactNumbers);
  } catch {
    return badParameter('body', wanted);
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return badParameter('body', wanted);
  }
  const query = new Map<string, string>();
  for (const [key, value] of Object.entries(body)) {
    const name = Object.hasOwn(bodyKeys, key) ? bodyKeys[key] : undefined;
    if (name === undefined) return badParameter(key, `unknown; ${wanted}`);
    if (typeof value !== 'string') return badParameter(key, 'expected a number or a string');
    query.set(name, value);
  }
  return query;
}

/** 64 bits do not fit a double: the digits as they stand. */
function exactNumbers(
  _key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  return typeof value === 'number' ? (context?.source ?? String(value)) : value;
}
