/** Go's strconv, as far as the volume server uses it on a request. */

const uint64Max = 0xffff_ffff_ffff_ffffn;
const int64MaxDigits = '9223372036854775807';
const int64MinDigits = '9223372036854775808';

/** strconv.ParseUint(text, 10, 64). */
export function parseUint64(text: string): bigint | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const digits = withoutLeadingZeros(text);
  if (digits.length > 20) return undefined;
  const value = BigInt(digits);
  return value > uint64Max ? undefined : value;
}

/**
 * strconv.ParseInt(text, 10, 64). Above 2^53 the number is only near the true one: it is compared with sizes below
 * 2^33 and never printed.
 */
export function parseInt64(text: string): number | undefined {
  const parsed = splitInteger(text);
  if (parsed === undefined || exceedsInt64(parsed)) return undefined;
  return toNumber(parsed);
}

/** strconv.Atoi with its error ignored: 0 for what is no number, the nearest int64 for what does not fit. */
export function atoi(text: string): number {
  const parsed = splitInteger(text);
  if (parsed === undefined) return 0;
  if (exceedsInt64(parsed)) return parsed.isNegative ? -(2 ** 63) : 2 ** 63;
  return toNumber(parsed);
}

/** strconv.ParseBool with its error ignored. */
export function parseBool(text: string): boolean {
  return ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text);
}

interface Integer {
  readonly isNegative: boolean;
  /** Without leading zeros, never empty. */
  readonly digits: string;
}

function splitInteger(text: string): Integer | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  const isSigned = text[0] === '-' || text[0] === '+';
  return {
    isNegative: text[0] === '-',
    digits: withoutLeadingZeros(isSigned ? text.slice(1) : text),
  };
}

function exceedsInt64({ isNegative, digits }: Integer): boolean {
  if (digits.length !== 19) return digits.length > 19;
  return digits > (isNegative ? int64MinDigits : int64MaxDigits);
}

/** Never -0. */
function toNumber({ isNegative, digits }: Integer): number {
  return isNegative && digits !== '0' ? -Number(digits) : Number(digits);
}

function withoutLeadingZeros(digits: string): string {
  let start = 0;
  while (start < digits.length - 1 && digits[start] === '0') start += 1;
  return start === 0 ? digits : digits.slice(start);
}
