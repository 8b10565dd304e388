/**
 * The last finished requests of those that are given to it. What a request costs here is some numbers and a copy of its target into memory that was
 * taken at the start: nothing grows, whatever clients send. Cookies and tokens are masked when somebody looks.
 */
import { maskedTarget } from '../needle/masked-target.ts';
import type { RequestRecord } from '../outcome.ts';
import type { ClientRow } from './client-table.ts';
import { type RequestEntry, statusOf } from './request-entry.ts';
import { volumeIdOf } from './traffic-tables.ts';

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
  /** Of a long target; '' for others. */
  masked: string;
  method: string;
  outcome: RequestRecord['outcome'];
  reason: RequestRecord['reason'];
  transport: string;
  client: ClientRow | undefined;
  address: string;
}

export class RequestRing {
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

  /** What was kept last. */
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
    const target = this.#targets.toString('latin1', from, from + slot.targetBytes);
    return entryOf(slot, slot.masked === '' ? maskedTarget(target) : slot.masked);
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

function entryOf(slot: Slot, path: string): RequestEntry {
  const volumeId = volumeIdOf(path);
  return {
    at: new Date(slot.atMs).toISOString(),
    client: slot.address,
    userAgent: slot.client?.userAgent ?? '',
    isOwn: slot.client?.isOwn ?? false,
    method: slot.method,
    path,
    volumeId: volumeId < 0 ? null : volumeId,
    status: slot.status === 0 ? null : slot.status,
    outcome: slot.outcome,
    reason: slot.reason,
    transport: slot.transport,
    bodyBytes: slot.bodyBytes,
    durationMs: Math.round(slot.durationMs * 1000) / 1000,
  };
}
