/** One range of a needle, read from the volume server over HTTP: decoded there, whole in memory before it is passed on. */
import type { AnswerHead } from '../../http1/answer-head.ts';
import { fieldLines } from '../../http1/field-lines.ts';
import { UpstreamPools } from '../passthrough/upstream-pools.ts';
import type { WantedBody } from './body-content.ts';
import { badAnswer, beyondTheEnd, refusal, type SidecarRefusal, tooLong } from './refusal.ts';
import { type StrictAnswer, strictGet } from './strict-get.ts';

export interface VolumeServerRead {
  /** http://host:port. */
  readonly url: string;
  /** `<vid>,<fid>`. */
  readonly fid: string;
  readonly offset: number;
  /** undefined: to the end. */
  readonly size: number | undefined;
  /** The client's token, or one signed here. */
  readonly authorization: string | undefined;
  readonly signal: AbortSignal;
}

export interface ReadBytes {
  readonly kind: 'bytes';
  readonly bytes: Buffer;
  /** Size of the whole needle, decoded. */
  readonly totalBytes: number;
}

/** To each volume server. */
const connectionsMax = 256;
const errorTextBytesMax = 1_024;

export class VolumeServers {
  readonly #pools = new UpstreamPools(connectionsMax);
  readonly #bytesMax: number;
  readonly #timeoutMs: number;

  constructor(bytesMax: number, timeoutMs: number) {
    this.#bytesMax = bytesMax;
    this.#timeoutMs = timeoutMs;
  }

  async read(read: VolumeServerRead): Promise<ReadBytes | SidecarRefusal> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const signal = AbortSignal.any([read.signal, deadline]);
    try {
      const answer = await strictGet(this.#pools.poolOf(read.url), {
        head: this.#requestHead(read),
        wantedBody: (head, rawHeaders) => this.#wantedBody(read, head, rawHeaders),
        signal,
      });
      return this.#take(read, answer);
    } catch (error) {
      if (!deadline.aborted) return badAnswer((error as Error).message);
      const text = `the volume server did not answer within ${this.#timeoutMs} ms (sidecar.http_timeout)`;
      return refusal(504, 'deadline', text);
    }
  }

  close(): void {
    this.#pools.close();
  }

  #requestHead(read: VolumeServerRead): string {
    const { url, fid, authorization } = read;
    const headers = ['Host', new URL(url).host, 'Accept-Encoding', 'identity'];
    const range = this.#range(read);
    if (range !== undefined) headers.push('Range', range);
    if (authorization !== undefined) headers.push('Authorization', authorization);
    return `GET /${fid} HTTP/1.1\r\n${fieldLines(headers)}\r\n`;
  }

  /** Never more than may be passed on, and one byte to see that there is more. */
  #range({ offset, size }: VolumeServerRead): string | undefined {
    if (offset === 0 && size === undefined) return undefined;
    return `bytes=${offset}-${offset + Math.min(size ?? Infinity, this.#bytesMax + 1) - 1}`;
  }

  #wantedBody(
    read: VolumeServerRead,
    { status }: AnswerHead,
    rawHeaders: readonly string[],
  ): WantedBody {
    if (status !== 200 && status !== 206) return first(errorTextBytesMax);
    if (codingOf(rawHeaders) !== 'identity') return first(0);
    if (status === 200) return this.#wantedOfWhole(read);
    const range = rangeOf(read, rawHeaders);
    return first(range === undefined || range.wanted > this.#bytesMax ? 0 : range.wanted);
  }

  /** Holds no more than was asked for, which is what was admitted; the rest only tells the needle's length. */
  #wantedOfWhole({ offset, size }: VolumeServerRead): WantedBody {
    const bytesMax = Math.min(size ?? Infinity, this.#bytesMax);
    return { offset, bytesMax, readBytesMax: this.#bytesMax };
  }

  #take(read: VolumeServerRead, answer: StrictAnswer): ReadBytes | SidecarRefusal {
    const { status } = answer.head;
    if (status === 200 || status === 206) {
      const coding = codingOf(answer.rawHeaders);
      if (coding !== 'identity') {
        return badAnswer(`sent the needle in the coding "${coding}", which was not asked for`);
      }
      return status === 200 ? this.#takeWhole(read, answer) : this.#takeRange(read, answer);
    }
    const text = answer.body.toString('latin1').trim();
    if (status === 416) return beyondTheEnd(read.offset, totalOf(answer.rawHeaders));
    if (status === 404) return refusal(404, 'not-found', `the volume server says 404: ${text}`);
    if (status === 401 || status === 403) {
      return refusal(status, 'auth', `the volume server says ${status}: ${text}`);
    }
    return badAnswer(`says ${status}: ${text}`);
  }

  #takeWhole(
    { offset }: VolumeServerRead,
    { head, body, bodyBytes, isCut }: StrictAnswer,
  ): ReadBytes | SidecarRefusal {
    if (isCut) {
      const { framing } = head;
      return tooLong(framing.kind === 'length' ? framing.bytes : 'more', this.#bytesMax);
    }
    if (offset > 0 && offset >= bodyBytes) return beyondTheEnd(offset, bodyBytes);
    return { kind: 'bytes', bytes: body, totalBytes: bodyBytes };
  }

  #takeRange(
    read: VolumeServerRead,
    { body, isCut, rawHeaders }: StrictAnswer,
  ): ReadBytes | SidecarRefusal {
    const range = rangeOf(read, rawHeaders);
    if (range === undefined) {
      return badAnswer(`sent another range: ${fieldOf(rawHeaders, 'content-range') ?? 'none'}`);
    }
    const { last, wanted, totalBytes } = range;
    if (wanted > this.#bytesMax) return tooLong(wanted, this.#bytesMax);
    if (isCut || body.length !== wanted || last !== read.offset + wanted - 1) {
      const sent = isCut ? `more than ${body.length}` : body.length;
      return badAnswer(`sent ${sent} bytes where ${wanted} were asked for`);
    }
    return { kind: 'bytes', bytes: body, totalBytes };
  }
}

/** 0: the head alone tells what becomes of the answer. */
function first(bytes: number): WantedBody {
  return { offset: 0, bytesMax: bytes, readBytesMax: bytes };
}

interface AnsweredRange {
  readonly last: number;
  /** Bytes that the answer must have. */
  readonly wanted: number;
  readonly totalBytes: number;
}

/** undefined: none, or one that begins elsewhere. */
function rangeOf(
  { offset, size }: VolumeServerRead,
  rawHeaders: readonly string[],
): AnsweredRange | undefined {
  const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(
    fieldOf(rawHeaders, 'content-range') ?? '',
  );
  if (range === null || Number(range[1]) !== offset) return undefined;
  const totalBytes = Number(range[3]);
  const wanted = Math.min(size ?? totalBytes - offset, totalBytes - offset);
  return { last: Number(range[2]), wanted, totalBytes };
}

function totalOf(rawHeaders: readonly string[]): number | undefined {
  const total = /\/(\d{1,15})$/.exec(fieldOf(rawHeaders, 'content-range') ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

function codingOf(rawHeaders: readonly string[]): string {
  return fieldOf(rawHeaders, 'content-encoding') ?? 'identity';
}

/** Several lines are one value. */
function fieldOf(rawHeaders: readonly string[], lowerName: string): string | undefined {
  const values = rawHeaders.filter(
    (_value, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === lowerName,
  );
  return values.length === 0 ? undefined : values.join(', ');
}
