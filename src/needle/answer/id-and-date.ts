/** The two values that differ in each answer: X-Amz-Request-Id and Date (specification 5.1, 5.2). */
import { randomFillSync } from 'node:crypto';
import { formatHttpTime } from './http-time.ts';

const hexDigits = Buffer.from('0123456789ABCDEF', 'latin1');
const timeDigits = 16;
const randomBytes = 4;
export const requestIdChars: number = timeDigits + randomBytes * 2;

const pool = Buffer.alloc(4096);
let poolOffset = pool.length;

/** The wall clock at one moment of the monotonic one, so that one cheap reading gives nanoseconds of the unix time. */
let baseMs = Number.NEGATIVE_INFINITY;
let baseHigh = 0;
let baseLow = 0;
const baseLifeMs = 1_000;
const word = 2 ** 32;
const nsPerMs = 1e6;

const scratch = Buffer.alloc(requestIdChars);

/** The unix time in ns as hex, then 8 random hex digits, upper case. */
export function newRequestId(): string {
  writeRequestId(scratch, 0, performance.now());
  return scratch.toString('latin1');
}

/** A new one, `requestIdChars` long. `nowMs`: monotonic. */
export function writeRequestId(target: Buffer, at: number, nowMs: number): void {
  if (nowMs - baseMs > baseLifeMs) setBase(nowMs);
  let low = baseLow + Math.floor((nowMs - baseMs) * nsPerMs);
  let high = baseHigh;
  if (low >= word) {
    low -= word;
    high += 1;
  }
  writeWord(target, at, high);
  writeWord(target, at + timeDigits / 2, low);
  writeRandom(target, at + timeDigits);
}

function setBase(nowMs: number): void {
  const unixNs = BigInt(Date.now()) * BigInt(nsPerMs);
  baseMs = nowMs;
  baseHigh = Number(unixNs >> 32n);
  baseLow = Number(unixNs & 0xffff_ffffn);
}

function writeWord(target: Buffer, at: number, value: number): void {
  for (let i = 0; i < 8; i += 1) {
    target[at + i] = hexDigits[(value >>> (28 - 4 * i)) & 15] as number;
  }
}

function writeRandom(target: Buffer, at: number): void {
  if (poolOffset === pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  for (let i = 0; i < randomBytes; i += 1) {
    const byte = pool[poolOffset + i] as number;
    target[at + 2 * i] = hexDigits[byte >>> 4] as number;
    target[at + 2 * i + 1] = hexDigits[byte & 15] as number;
  }
  poolOffset += randomBytes;
}

export const httpDateChars = 29;

let dateText = '';
const dateBytes = Buffer.alloc(httpDateChars);
const secondMs = 1_000;
/** Monotonic ms at which the wall clock's next second begins. */
let dateUntilMs = Number.NEGATIVE_INFINITY;

/** The `Date` value for now: RFC 1123 GMT, made once per second. */
export function httpDate(): string {
  refreshDate(performance.now());
  return dateText;
}

/** Writes the date as `httpDateChars` bytes. `nowMs`: monotonic. */
export function writeHttpDate(target: Buffer, at: number, nowMs: number): void {
  refreshDate(nowMs);
  // So few that a call for them would cost more.
  for (let i = 0; i < httpDateChars; i += 1) target[at + i] = dateBytes[i] as number;
}

function refreshDate(nowMs: number): void {
  if (nowMs < dateUntilMs) return;
  const wallMs = Date.now();
  dateUntilMs = nowMs + secondMs - (wallMs % secondMs);
  dateText = formatHttpTime(Math.floor(wallMs / secondMs));
  dateBytes.write(dateText, 'latin1');
}
