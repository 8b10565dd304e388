/** Single requests and their clients for the admin listener, beside the exact totals: what becomes of a finished request. */

import { maskedTarget } from '../../needle/request/masked-target.ts';
import { volumeIdOf } from '../../needle/request/needle-path.ts';
import type { RequestObserver, RequestRecord } from '../../needle/request-record.ts';
import type { Traffic } from './clients-status.ts';
import { FallbackRing } from './fallback-ring.ts';
import type { RequestEntry } from './request-entry.ts';
import { RequestTail } from './request-tail.ts';
import { type ClientRow, type LaneTraffic, TrafficTables } from './traffic-tables.ts';

const tickMs = 1_000;

export class TrafficWatch {
  readonly fallbacks: FallbackRing = new FallbackRing();
  readonly tables: TrafficTables = new TrafficTables();
  readonly ring: RequestRing = new RequestRing();
  readonly tail: RequestTail = new RequestTail();
  /** Called before the tables are shown: lanes count by themselves. */
  onLook: () => void = () => undefined;
  readonly #sampler = new Sampler();
  readonly #onUnanswered: RequestObserver;
  /** Runs only while there is traffic. */
  #timer: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;

  /** `onUnanswered`: called for each finished request that was not answered here. */
  constructor(onUnanswered: RequestObserver = () => undefined) {
    this.#onUnanswered = onUnanswered;
  }

  /** Called for every finished request. */
  readonly observe: RequestObserver = (record) => {
    if (this.#timer === undefined) this.#start();
    const weight = this.#sampler.take();
    const client = this.tables.observe(record, weight);
    // Only some requests of busy fast-path traffic are kept: all of them would push each other out in a moment.
    const isOrdinary = record.reason === '';
    if (!isOrdinary) {
      this.fallbacks.observe(record);
      this.#onUnanswered(record);
    }
    const isFollowed = this.tail.followers.size > 0;
    if (isOrdinary && weight === 0 && !isFollowed) return;
    this.ring.keep(record, client);
    if (isFollowed) this.tail.offer(this.ring.newest);
  };

  /** Requests that lanes have answered. */
  lanesAnswered(traffic: LaneTraffic): void {
    if (this.#timer === undefined) this.#start();
    this.tables.lanesAnswered(traffic);
  }

  /** One of these, which stands for `weight`. */
  lookAt(record: RequestRecord, weight: number): void {
    this.ring.keep(record, this.tables.lookAt(record, weight));
  }

  /** Each request is shown to a follower. */
  get mustSeeAll(): boolean {
    return this.tail.followers.size > 0;
  }

  /** One in so many requests is looked at now. */
  get sampledEvery(): number {
    return this.#sampler.every;
  }

  traffic(countMax: number): Traffic {
    this.onLook();
    return { ...this.tables.traffic(countMax), needlesSampledEvery: this.sampledEvery };
  }

  /** Called once a second while there is traffic. */
  tick(nowMs: number): void {
    const seconds = Math.max(0.001, (nowMs - this.#tickedAtMs) / 1000);
    this.#tickedAtMs = nowMs;
    this.#sampler.tick(seconds);
    if (!this.tables.tick(nowMs, seconds)) this.#stop();
  }

  #start(): void {
    this.#tickedAtMs = performance.now();
    this.#timer = setInterval(() => this.tick(performance.now()), tickMs).unref();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  close(): void {
    this.#stop();
    this.tail.close('the proxy has ended');
  }
}

/** Requests looked at, in a second. */
const looksPerSecondMax = 1_000;

/** Chooses requests that are worth a closer look: all of them while there are few, by chance one in several else. */
class Sampler {
  #every = 1;
  #untilNext = 1;
  #looks = 0;
  #requests = 0;

  /** One in so many is chosen now. */
  get every(): number {
    return this.#every;
  }

  /** Called for each request. Returns how many requests this one stands for; 0: it is not chosen. */
  take(): number {
    this.#requests += 1;
    this.#untilNext -= 1;
    if (this.#untilNext > 0) return 0;
    const weight = this.#every;
    this.#looks += 1;
    if (this.#looks >= looksPerSecondMax) {
      this.#looks = 0;
      this.#every *= 2;
    }
    // The next sample is drawn by chance: traffic that repeats itself must not be met in step.
    this.#untilNext = 1 + Math.floor(Math.random() * (2 * this.#every - 1));
    return weight;
  }

  tick(seconds: number): void {
    this.#every = Math.max(1, Math.ceil(this.#requests / seconds / looksPerSecondMax));
    this.#untilNext = Math.min(this.#untilNext, this.#every);
    this.#requests = 0;
    this.#looks = 0;
  }
}

/** Requests that are kept. */
export const requestsKept = 1024;
/** Longer targets are masked at once, and what is left is kept. */
const targetBytesMax = 256;

interface Slot {
  atMs: number;
  durationMs: number;
  bodyBytes: number;
  status: number;
  targetBytes: number;
  /** Masked text of a long target; '' for others. */
  masked: string;
  method: string;
  outcome: RequestRecord['outcome'];
  reason: RequestRecord['reason'];
  transport: string;
  client: ClientRow | undefined;
  address: string;
}

/**
 * The last finished requests of those that are given to it. A request costs some numbers and a copy of its target into
 * memory that was taken at the start: nothing grows, whatever clients send. Cookies and tokens are masked when an entry
 * is read.
 */
class RequestRing {
  readonly #targets = Buffer.alloc(requestsKept * targetBytesMax);
  readonly #slots: Slot[] = Array.from({ length: requestsKept }, emptySlot);
  #next = 0;
  #count = 0;

  keep(record: RequestRecord, client: ClientRow): void {
    const at = this.#next;
    this.#next = at + 1 === requestsKept ? 0 : at + 1;
    if (this.#count < requestsKept) this.#count += 1;
    const slot = this.#slots[at] as Slot;
    const { target, method } = record.request;
    slot.atMs = Date.now();
    slot.durationMs = record.durationMs;
    slot.bodyBytes = record.bodyBytes;
    slot.status = statusOf(record.answerHead);
    slot.method = method;
    slot.outcome = record.outcome;
    slot.reason = record.reason;
    slot.transport = record.transport;
    slot.client = client;
    slot.address = record.client.address;
    if (target.length <= targetBytesMax) {
      slot.targetBytes = this.#targets.write(target, at * targetBytesMax, 'latin1');
      slot.masked = '';
    } else {
      slot.targetBytes = 0;
      slot.masked = ownText(maskedTarget(target));
    }
  }

  /** The entry that was kept last. */
  get newest(): RequestEntry {
    return this.#entry((this.#next - 1 + requestsKept) % requestsKept);
  }

  /** The latest first. */
  *latest(): Generator<RequestEntry> {
    for (let back = 1; back <= this.#count; back += 1) {
      yield this.#entry((this.#next - back + requestsKept) % requestsKept);
    }
  }

  #entry(at: number): RequestEntry {
    const slot = this.#slots[at] as Slot;
    const from = at * targetBytesMax;
    return new KeptRequest(slot, this.#targets.toString('latin1', from, from + slot.targetBytes));
  }
}

function emptySlot(): Slot {
  return {
    atMs: 0,
    durationMs: 0,
    bodyBytes: 0,
    status: 0,
    targetBytes: 0,
    masked: '',
    method: '',
    outcome: 'cache',
    reason: '',
    transport: '',
    client: undefined,
    address: '',
  };
}

/** A part of a string keeps all of it. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** Computes the expensive fields only when they are read: most filters let a request go by before. */
class KeptRequest implements RequestEntry {
  readonly client: string;
  readonly userAgent: string;
  readonly isOwn: boolean;
  readonly method: string;
  readonly status: number | null;
  readonly outcome: RequestRecord['outcome'];
  readonly reason: RequestRecord['reason'];
  readonly transport: string;
  readonly bodyBytes: number;
  readonly durationMs: number;
  readonly #atMs: number;
  readonly #target: string;
  #masked: string;

  constructor(slot: Slot, target: string) {
    this.client = slot.address;
    this.userAgent = slot.client?.userAgent ?? '';
    this.isOwn = slot.client?.isOwn ?? false;
    this.method = slot.method;
    this.status = slot.status === 0 ? null : slot.status;
    this.outcome = slot.outcome;
    this.reason = slot.reason;
    this.transport = slot.transport;
    this.bodyBytes = slot.bodyBytes;
    this.durationMs = Math.round(slot.durationMs * 1000) / 1000;
    this.#atMs = slot.atMs;
    this.#target = target;
    this.#masked = slot.masked;
  }

  get at(): string {
    return new Date(this.#atMs).toISOString();
  }

  get path(): string {
    if (this.#masked === '') this.#masked = maskedTarget(this.#target);
    return this.#masked;
  }

  get volumeId(): number | null {
    const volumeId = volumeIdOf(this.#target === '' ? this.#masked : this.#target);
    return volumeId < 0 ? null : volumeId;
  }

  toJSON(): RequestEntry {
    const { at, client, userAgent, isOwn, method, path, volumeId, status, ...rest } = this;
    return { at, client, userAgent, isOwn, method, path, volumeId, status, ...rest };
  }
}

const statusAt = 'HTTP/1.1 '.length;
const zero = 0x30;

/** 0: no answer began, or the proxy did not read it. */
export function statusOf(answerHead: RequestRecord['answerHead']): number {
  let status = 0;
  for (let at = statusAt; at < statusAt + 3; at += 1) {
    const code = typeof answerHead === 'string' ? answerHead.charCodeAt(at) : answerHead[at];
    const digit = (code ?? 0) - zero;
    if (!(digit >= 0 && digit <= 9)) return 0;
    status = status * 10 + digit;
  }
  return status;
}
