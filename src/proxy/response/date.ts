import { formatHttpTime } from './http-time.ts';

export const httpDateChars = 29;

let cachedSecond = -1;
let cachedText = '';
const cachedBytes = Buffer.alloc(httpDateChars);

/** The `Date` value for now: RFC 1123 GMT, made once per second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = formatHttpTime(second);
    cachedBytes.write(cachedText, 'latin1');
  }
  return cachedText;
}

/** The same as `httpDateChars` bytes. */
export function writeHttpDate(target: Buffer, at: number): void {
  httpDate();
  // So few that a call for them would cost more.
  for (let i = 0; i < httpDateChars; i += 1) target[at + i] = cachedBytes[i] as number;
}
