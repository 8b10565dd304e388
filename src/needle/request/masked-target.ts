/**
 * A request target as it may be written down: a client that knows a needle's cookie may read the needle, and one that
 * has a token may use it, so neither stands in a log, a trace or a list. Pure.
 */
import { needleIdText, needlePathOf, splitTarget } from './needle-path.ts';

/** Stands in the place of what is left out. */
export const masked = '…';

const cookieDigits = 8;
const charsMax = 512;
/** A file id without its volume, or the end of one: the last eight digits may be a cookie. */
const idAndCookie = /[0-9A-Fa-f]{9,}/g;
/** Parameters of SeaweedFS whose values are no secrets; names of others stay, their values do not. */
const plainParameters: ReadonlySet<string> = new Set([
  'cm',
  'collection',
  'crop_x1',
  'crop_x2',
  'crop_y1',
  'crop_y2',
  'dl',
  'fsync',
  'height',
  'mode',
  'pretty',
  'readDeleted',
  'replication',
  'ts',
  'ttl',
  'type',
  'volume',
  'width',
]);

/** `/3,01637037d6.jpg?jwt=abc` → `/3,01….jpg?jwt=…`. At most 512 characters, then `…`. */
export function maskedTarget(target: string): string {
  const { rawPath, rawQuery } = splitTarget(target);
  const path = needleText(target) ?? decoded(rawPath).replace(idAndCookie, withoutCookie);
  const text = rawQuery === '' ? path : `${path}?${maskedQuery(rawQuery)}`;
  return text.length > charsMax ? `${text.slice(0, charsMax)}${masked}` : text;
}

/** `3,01…`, and what may follow it. */
function needleText(target: string): string | undefined {
  const needle = needlePathOf(target);
  if (needle === undefined) return undefined;
  const { volumeId, filename, ext } = needle;
  const behind = filename === '' ? ext : `/${filename}`;
  const tail = utf8(behind).replace(idAndCookie, withoutCookie);
  return `/${volumeId},${needleIdText(needle.needleId)}${masked}${tail}`;
}

function withoutCookie(digits: string): string {
  return `${digits.slice(0, -cookieDigits)}${masked}`;
}

function maskedQuery(rawQuery: string): string {
  return rawQuery
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 0) return decoded(pair).replace(idAndCookie, withoutCookie);
      const name = decoded(pair.slice(0, equals));
      const isPlain = plainParameters.has(name);
      const value = isPlain ? decoded(pair.slice(equals + 1)) : masked;
      return `${name}=${value}`.replace(idAndCookie, withoutCookie);
    })
    .join('&');
}

/** Percent-encoded digits are digits too. What is no encoding stays as it is. */
function decoded(text: string): string {
  const bytes = text.replace(/%([0-9A-Fa-f]{2})/g, (_all, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return utf8(bytes);
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
