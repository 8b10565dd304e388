/**
 * Tables of the clients' requests: by client, by volume, by needle. Requests that this package's own programs make are
 * counted apart. Every table has a limit of its own; a timer runs only while there is traffic.
 */
import type { RequestRecord } from '../../needle/outcome.ts';
import { Sampler } from '../metrics/sampler.ts';
import { type ClientRow, ClientTable } from './client-table.ts';
import type { ClientsStatus, Traffic } from './clients-status.ts';
import { HotNeedles } from './hot-needles.ts';
import { HotRow, HotRows } from './hot-rows.ts';

export const volumesMax = 1024;
const tickMs = 1_000;

class VolumeRow extends HotRow {
  readonly volumeId: number;

  constructor(volumeId: number) {
    super();
    this.volumeId = volumeId;
  }
}

export class TrafficTables {
  readonly sampler: Sampler = new Sampler();
  readonly #clients = new ClientTable();
  readonly #volumeRows = new Map<number, VolumeRow>();
  readonly #volumes = new HotRows<VolumeRow>(volumesMax, ({ volumeId }) =>
    this.#volumeRows.delete(volumeId),
  );
  readonly #needles = new HotNeedles();
  #timer: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;
  #requestsAtTick = 0;
  #lastRequestAtMs: number | undefined;

  /** Returns who asked. `weight`: for how many requests this one is looked at; 0: it is counted alone. */
  observe(record: RequestRecord, weight: number = this.sampler.take()): ClientRow {
    if (this.#timer === undefined) this.#start();
    const client = this.#clients.observe(record);
    if (client.isOwn) return client;
    const volumeId = volumeIdOf(record.request.target);
    if (volumeId >= 0) {
      (this.#volumeRows.get(volumeId) ?? this.#admit(volumeId)).add(record);
      if (weight > 0) this.#needles.observe(record, weight);
    }
    return client;
  }

  status(): ClientsStatus {
    this.#look(performance.now());
    const { requests, ownRequests, size: tracked } = this.#clients;
    const agoMs = this.#lastRequestAtMs && performance.now() - this.#lastRequestAtMs;
    return {
      requests,
      ownRequests,
      lastRequestSecondsAgo: agoMs === undefined ? null : Math.floor(agoMs / 1000),
      tracked,
    };
  }

  traffic(countMax: number): Traffic {
    return {
      ...this.status(),
      clients: this.#clients.busiest(countMax),
      volumes: this.#volumes
        .busiest(countMax)
        .map((row) => ({ volumeId: row.volumeId, ...row.counts() })),
      needles: this.#needles.busiest(countMax),
      needlesSampledEvery: this.sampler.every,
      others: {
        clients: { count: this.#clients.goneCount, ...this.#clients.gone },
        volumes: { count: this.#volumes.goneCount, ...this.#volumes.gone.counts() },
      },
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Called once a second while there is traffic. */
  tick(nowMs: number): void {
    const seconds = Math.max(0.001, (nowMs - this.#tickedAtMs) / 1000);
    this.#tickedAtMs = nowMs;
    this.#look(nowMs);
    this.sampler.tick(seconds);
    const isBusy = [
      this.#clients.tick(seconds),
      this.#volumes.tick(seconds),
      this.#needles.tick(seconds),
    ].some((each) => each);
    if (isBusy) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #start(): void {
    this.#tickedAtMs = performance.now();
    this.#timer = setInterval(() => this.tick(performance.now()), tickMs).unref();
  }

  /** When the last one came is known to a tick: a clock is not read for each request. */
  #look(nowMs: number): void {
    const { requests } = this.#clients;
    if (requests > this.#requestsAtTick) this.#lastRequestAtMs = nowMs;
    this.#requestsAtTick = requests;
  }

  #admit(volumeId: number): VolumeRow {
    const row = this.#volumes.admit(new VolumeRow(volumeId));
    this.#volumeRows.set(volumeId, row);
    return row;
  }
}

const digitsMax = 10;
const comma = 0x2c;
const slash = 0x2f;

/** `/3,01637037d6` and `/3/01637037d6/name` → 3; -1: it names no volume. */
export function volumeIdOf(target: string): number {
  let id = 0;
  let at = 1;
  for (; at <= digitsMax; at += 1) {
    const digit = target.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    id = id * 10 + digit;
  }
  const behind = target.charCodeAt(at);
  return at > 1 && id < 2 ** 32 && (behind === comma || behind === slash) ? id : -1;
}
