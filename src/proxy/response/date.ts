import { formatHttpTime } from './http-time.ts';

let cachedSecond = -1;
let cachedText = '';

/** The `Date` value for now: RFC 1123 GMT, made once per second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = formatHttpTime(second);
  }
  return cachedText;
}
