/** One needle of a history: what was written to it when, and what an answer to a read shows of it. */
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Fields } from '../contract/sample-volume.ts';
import { contentOf, versionsOf } from './content.ts';
import { NeedleHistory, type Seen } from './history.ts';
import type { ClientAnswer } from './keep-alive-client.ts';

export type ReadKind = 'get' | 'range' | 'suffix' | 'head' | 'conditional' | 'gzip';

export interface ReadPlan {
  readonly kind: ReadKind;
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
}

/** Not evidence of anything: no answer of a needle's. */
export interface Unavailable {
  readonly kind: 'unavailable';
  readonly detail: string;
}

const cookie = '00000001';

export class TrackedNeedle {
  readonly volumeId: number;
  readonly needleId: bigint;
  readonly history: NeedleHistory;
  /** One change at a time. */
  isBusy = false;
  /** A change of it failed: whether it happened is unknown for good. */
  isLost = false;
  readonly #lengthMax: number;
  readonly #fields: Fields;
  readonly #lengths = new Map<number, number>();
  readonly #etags = new Map<string, number[]>();
  #etag = '';
  #isAlive = false;

  constructor(
    volumeId: number,
    needleId: bigint,
    lengthMax: number,
    fields: Fields,
    history: NeedleHistory = new NeedleHistory(),
  ) {
    this.history = history;
    this.volumeId = volumeId;
    this.needleId = needleId;
    this.#lengthMax = lengthMax;
    this.#fields = fields;
  }

  get path(): string {
    const id = this.needleId.toString(16);
    return `/${this.volumeId},${id.length % 2 === 0 ? id : `0${id}`}${cookie}`;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get fields(): Fields {
    return this.#fields;
  }

  /** Returns the stored form. Lengths lie between half of the needle's longest and that, so that ranges can be chosen. */
  beginWrite(
    at: number,
    random: () => number,
  ): { readonly version: number; readonly data: Buffer } {
    const version = this.history.begin('write', at);
    const length = Math.ceil((this.#lengthMax * (1 + random())) / 2);
    this.#lengths.set(version, length);
    const { volumeId, needleId } = this;
    const content = contentOf({ volumeId, needleId, version, length });
    return { version, data: this.#fields.compressed ? gzipSync(content, { level: 1 }) : content };
  }

  beginDelete(at: number): number {
    return this.history.begin('delete', at);
  }

  /** Of the write under way, as it was appended. */
  wrote(etag: string): void {
    this.#etag = etag;
    const versions = this.#etags.get(etag) ?? [];
    versions.push(this.history.newest);
    this.#etags.set(etag, versions);
  }

  acknowledge(version: number, seenFrom: number): void {
    this.history.acknowledge(version, seenFrom);
    this.#isAlive = this.#lengths.has(version);
  }

  planRead(random: () => number): ReadPlan {
    const roll = random();
    const shortest = Math.ceil(this.#lengthMax / 2);
    if (roll < 0.2 && this.#lengthMax > 1) {
      const first = random() < 0.4 ? 0 : Math.floor(random() * shortest);
      const last = first + Math.floor(random() * 4_096);
      return { kind: 'range', method: 'GET', headers: { Range: `bytes=${first}-${last}` } };
    }
    if (roll < 0.23) {
      const length = 1 + Math.floor(random() * Math.min(shortest, 4_096));
      return { kind: 'suffix', method: 'GET', headers: { Range: `bytes=-${length}` } };
    }
    if (roll < 0.35) return { kind: 'head', method: 'HEAD', headers: {} };
    if (roll < 0.45 && this.#etag !== '') {
      return { kind: 'conditional', method: 'GET', headers: { 'If-None-Match': this.#etag } };
    }
    if (roll < 0.5) return { kind: 'gzip', method: 'GET', headers: { 'Accept-Encoding': 'gzip' } };
    return { kind: 'get', method: 'GET', headers: {} };
  }

  seenIn(plan: ReadPlan, answer: ClientAnswer): Seen | Unavailable {
    const { status } = answer;
    if (status === 404) return { kind: 'absent' };
    // A volume server's 304 carries no entity tag: it speaks of the one that it was asked about.
    const etag =
      (status === 304 ? plan.headers['If-None-Match'] : answer.headers.get('etag')) ?? '';
    const named = this.#etags.get(etag) ?? [];
    if (status === 304 && plan.kind === 'conditional') return { kind: 'content', versions: named };
    const expected = plan.kind === 'range' || plan.kind === 'suffix' ? 206 : 200;
    if (status !== expected) return { kind: 'unavailable', detail: `status ${status}` };
    if (plan.kind === 'head') return this.#seenInHead(answer, named);
    const found = this.#versionsIn(plan, answer);
    if (typeof found === 'string') return { kind: 'torn', detail: found };
    const versions = found.filter((version) => named.includes(version));
    if (versions.length > 0) return { kind: 'content', versions };
    const detail = `the bytes of version ${found.join(', ')} with the entity tag of ${named.join(', ') || etag}`;
    return { kind: 'torn', detail };
  }

  #seenInHead({ headers }: ClientAnswer, named: readonly number[]): Seen {
    const length = Number(headers.get('content-length'));
    const versions = this.#fields.compressed
      ? named
      : named.filter((version) => this.#lengths.get(version) === length);
    if (versions.length > 0 || named.length === 0) return { kind: 'content', versions };
    return { kind: 'torn', detail: `version ${named.join(', ')} with a length of ${length}` };
  }

  #versionsIn(plan: ReadPlan, { headers, body }: ClientAnswer): readonly number[] | string {
    const isZipped = headers.get('content-encoding') === 'gzip';
    if (isZipped !== (plan.kind === 'gzip' && this.#fields.compressed === true)) {
      return `Content-Encoding "${headers.get('content-encoding')}"`;
    }
    let bytes = body;
    if (isZipped) {
      try {
        bytes = gunzipSync(body);
      } catch (error) {
        return `${error}`;
      }
    }
    if (plan.kind !== 'range' && plan.kind !== 'suffix') {
      return versionsOf({ offset: 0, totalBytes: bytes.length, bytes }, this, this.#lengths);
    }
    const said = headers.get('content-range') ?? '';
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(said);
    if (range === null || Number(range[2]) - Number(range[1]) + 1 !== bytes.length) {
      return `${bytes.length} bytes with Content-Range "${said}"`;
    }
    const slice = { offset: Number(range[1]), totalBytes: Number(range[3]), bytes };
    return isAskedFor(plan, slice) ? versionsOf(slice, this, this.#lengths) : `not asked: ${said}`;
  }
}

function isAskedFor(
  plan: ReadPlan,
  slice: { readonly offset: number; readonly totalBytes: number; readonly bytes: Buffer },
): boolean {
  const [first, last] = (plan.headers['Range'] ?? '').slice('bytes='.length).split('-');
  const { offset, totalBytes } = slice;
  const end = offset + slice.bytes.length;
  if (first === '') return end === totalBytes && slice.bytes.length === Number(last);
  return offset === Number(first) && end === Math.min(Number(last) + 1, totalBytes);
}
