/**
 * An answer that was built once and is sent again, and the two values that differ in each answer: X-Amz-Request-Id and Date (specification 5.1,
 * 5.2).
 */

import { randomFillSync } from 'node:crypto';
import type { NeedleFacts } from '../../rdma/needle-fetcher.ts';
import type { ServerKind } from '../../volume-server/rust-server.ts';
import type { ReadRequest } from '../request/read-request.ts';
import { hasOwnType } from './answer-headers.ts';
import type { AnswerReady, HostFacts, Varying } from './answer-plan.ts';
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

/** Bytes that no header of ours holds; a needle's pairs may, and then nothing is prepared. */
const idMark = '\u0001';
const dateMark = '\u0002';

/** Size of the object and its text beside its characters, as measured on Node 24. */
const objectBytes = 136;

/** Built with these, a head can be made into a template. */
export const marks: Varying = { requestId: idMark, date: dateMark, boundary: '' };

interface Parts {
  readonly beforeId: string;
  readonly betweenIds: string | undefined;
  readonly beforeDate: string;
  readonly afterDate: string;
}

export interface AnswerTemplate {
  readonly answer: Buffer;
  readonly idAt: number;
  readonly idAgainAt: number;
  readonly dateAt: number;
}

export class PreparedAnswer {
  readonly status: AnswerReady['status'];
  /** Which bytes follow: all of them, or none. */
  readonly body: AnswerReady['form'] | 'none';
  /** The host's type when this answer was prepared; undefined: the needle has its own. */
  readonly hostType: string | undefined;
  /** The host's `Server` value when this answer was prepared. */
  readonly server: string;
  readonly kind: ServerKind;
  /** Latin1, with blanks in place of the request id and the date. */
  readonly #head: string;
  readonly #idAt: number;
  /** Offset of the id's second place; -1: it stands there once. */
  readonly #idAgainAt: number;
  readonly #dateAt: number;

  private constructor(
    plan: AnswerReady,
    facts: Pick<HostFacts, 'server' | 'kind'>,
    needle: Pick<NeedleFacts, 'mime'>,
    parts: Parts,
  ) {
    this.status = plan.status;
    this.body = plan.ranges.length === 0 ? 'none' : plan.form;
    this.hostType = hasOwnType(needle) ? undefined : plan.contentType;
    this.server = facts.server ?? '';
    this.kind = facts.kind;
    const { beforeId, betweenIds, beforeDate, afterDate } = parts;
    this.#idAt = beforeId.length;
    const idEnd = this.#idAt + requestIdChars;
    this.#idAgainAt = betweenIds === undefined ? -1 : idEnd + betweenIds.length;
    const idsEnd = betweenIds === undefined ? idEnd : this.#idAgainAt + requestIdChars;
    this.#dateAt = idsEnd + beforeDate.length;
    const id = ' '.repeat(requestIdChars);
    const date = ' '.repeat(httpDateChars);
    // One text, not a tree of its parts, which would be walked at each answer.
    const again = betweenIds === undefined ? '' : betweenIds + id;
    const head = Buffer.from(beforeId + id + again + beforeDate + date + afterDate, 'latin1');
    this.#head = head.toString('latin1');
  }

  /** `head` was built with `marks`; undefined where it is none to be made into a template. */
  static of(
    plan: AnswerReady,
    facts: Pick<HostFacts, 'server' | 'kind'>,
    needle: Pick<NeedleFacts, 'mime'>,
    head: string,
  ): PreparedAnswer | undefined {
    const texts = head.split(idMark);
    const [beforeId, ...behind] = texts;
    // The volume server in Rust names the id twice.
    if (texts.length !== (facts.kind === 'rust' ? 3 : 2)) return undefined;
    const [beforeDate, afterDate, ...others] = (behind.pop() as string).split(dateMark);
    if (beforeId === undefined || beforeDate === undefined || afterDate === undefined) {
      return undefined;
    }
    if (others.length > 0) return undefined;
    const parts = { beforeId, betweenIds: behind[0], beforeDate, afterDate };
    return new PreparedAnswer(plan, facts, needle, parts);
  }

  /** The head with blanks in place of the values that differ, and where these stand; -1: once only. */
  get template(): AnswerTemplate {
    return {
      answer: Buffer.from(this.#head, 'latin1'),
      idAt: this.#idAt,
      idAgainAt: this.#idAgainAt,
      dateAt: this.#dateAt,
    };
  }

  /** Memory that this answer takes, in bytes. */
  get bytes(): number {
    return this.#head.length + objectBytes;
  }

  get headBytes(): number {
    return this.#head.length;
  }

  /** The head for one answer, latin1. */
  get head(): string {
    const bytes = Buffer.allocUnsafe(this.headBytes);
    this.writeHead(bytes);
    return bytes.toString('latin1');
  }

  /** Writes the head, `headBytes` long, at the start of `target`. */
  writeHead(target: Buffer): void {
    target.write(this.#head, 0, 'latin1');
    const nowMs = performance.now();
    writeRequestId(target, this.#idAt, nowMs);
    if (this.#idAgainAt >= 0) {
      target.copyWithin(this.#idAgainAt, this.#idAt, this.#idAt + requestIdChars);
    }
    writeHttpDate(target, this.#dateAt, nowMs);
  }
}

/**
 * Everything that the head of a plain answer depends on besides the needle and the host's facts; undefined where an
 * answer is made for the one request alone (ranges, conditions, overrides, images).
 */
export function variantOf(read: ReadRequest): string | undefined {
  const isOwn =
    read.range !== undefined ||
    read.ifNoneMatch !== undefined ||
    read.ifModifiedSince !== undefined ||
    read.overrides.length > 0 ||
    read.wantsImageOperation ||
    read.urlFilename.length > filenameMax;
  if (isOwn) return undefined;
  const bits =
    (read.method === 'HEAD' ? 1 : 0) |
    (read.acceptsGzip ? 2 : 0) |
    (read.hasOrigin ? 4 : 0) |
    (read.asAttachment ? 8 : 0) |
    (read.manifestAsIs ? 16 : 0) |
    (read.close ? 32 : 0) |
    (read.http10 ? 64 : 0);
  if (read.urlFilename === '') return plainVariants[bits];
  return `${bits} ${read.urlFilename}`;
}

/** Longer names are not asked for again and again, so they are not kept. */
const filenameMax = 256;

const plainVariants: readonly string[] = Array.from({ length: 128 }, (_, bits) => String(bits));
