/**
 * Tables of the clients' requests: by client, by volume, by needle. Requests that this package's own programs make are
 * counted apart. Every table has a limit of its own.
 */

import { firstHeader } from '../../http1/request-head.ts';
import { needleIdText, needlePathOf, volumeIdOf } from '../../needle/request/needle-path.ts';
import type { RequestRecord } from '../../needle/request-record.ts';
import type {
  ClientsStatus,
  HotNeedle,
  ListedClient,
  Traffic,
  TrafficCounts,
} from './clients-status.ts';
import { HotRow, HotRows } from './hot-rows.ts';

export const volumesMax = 1024;

class VolumeRow extends HotRow {
  readonly volumeId: number;

  constructor(volumeId: number) {
    super();
    this.volumeId = volumeId;
  }
}

/** Requests of one client for one volume that lanes have answered. */
export interface LaneTraffic {
  readonly address: string;
  readonly userAgent: string;
  /** -1: unknown. */
  readonly volumeId: number;
  readonly requests: number;
  readonly bodyBytes: number;
}

export class TrafficTables {
  readonly #clients = new ClientTable();
  readonly #volumeRows = new Map<number, VolumeRow>();
  readonly #volumes = new HotRows<VolumeRow>(volumesMax, ({ volumeId }) =>
    this.#volumeRows.delete(volumeId),
  );
  readonly #needles = new HotNeedles();
  #requestsAtTick = 0;
  #lastRequestAtMs: number | undefined;

  /** Requests that lanes have answered. */
  lanesAnswered({ address, userAgent, volumeId, requests, bodyBytes }: LaneTraffic): void {
    const client = this.#clients.addSome(address, userAgent, requests, bodyBytes);
    if (client.isOwn || volumeId < 0) return;
    const volume = this.#volumeRows.get(volumeId) ?? this.#admit(volumeId);
    volume.addSome('cache', requests, bodyBytes);
  }

  /** One of these requests, which stands for `weight`. Returns who asked. */
  lookAt(record: RequestRecord, weight: number): ClientRow {
    const client = this.#clients.rowOf(record);
    if (!client.isOwn) this.#needles.observe(record, weight);
    return client;
  }

  /** Returns who asked. `weight`: for how many requests this one is looked at; 0: it is counted alone. */
  observe(record: RequestRecord, weight: number): ClientRow {
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

  traffic(countMax: number): Omit<Traffic, 'needlesSampledEvery'> {
    return {
      ...this.status(),
      clients: this.#clients.busiest(countMax),
      volumes: this.#volumes
        .busiest(countMax)
        .map((row) => ({ volumeId: row.volumeId, ...row.counts() })),
      needles: this.#needles.busiest(countMax),
      others: {
        clients: { count: this.#clients.goneCount, ...this.#clients.gone },
        volumes: { count: this.#volumes.goneCount, ...this.#volumes.gone.counts() },
      },
    };
  }

  /** Called every so often while there is traffic; `seconds` since the last time. False: every row is at rest. */
  tick(nowMs: number, seconds: number): boolean {
    this.#look(nowMs);
    return [
      this.#clients.tick(seconds),
      this.#volumes.tick(seconds),
      this.#needles.tick(seconds),
    ].some((each) => each);
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

/** At most this many are told apart; any number of addresses takes no more memory. */
export const clientsMax = 256;
const userAgentCharsMax = 128;
/** How the programs of this package call themselves: the doctor, targets and proxies of any host. */
const ownAgent = 'seaweed-rdma';

export class ClientRow extends HotRow {
  /** '': a unix socket. */
  readonly address: string;
  /** '': the client sends none. */
  readonly userAgent: string;
  /** A proxy, a target or a tool of this package. */
  readonly isOwn: boolean;

  constructor(address: string, userAgent: string, isOwn: boolean) {
    super();
    this.address = address;
    this.userAgent = userAgent;
    this.isOwn = isOwn;
  }
}

/** A row for each pair of a client's address and its User-Agent, at most `clientsMax` of them. */
class ClientTable {
  readonly #byAddress = new Map<string, Map<string, ClientRow>>();
  readonly #rows = new HotRows<ClientRow>(clientsMax, (row) => this.#forget(row));
  readonly #own = new ClientRow('', ownAgent, true);
  /** Requests of all clients, also of those that left the table. */
  requests = 0;

  get size(): number {
    return this.#rows.size;
  }

  get ownRequests(): number {
    return this.#own.requests;
  }

  /** Counts one request; returns who asked. */
  observe(record: RequestRecord): ClientRow {
    const row = this.rowOf(record);
    row.add(record);
    if (!row.isOwn) this.requests += 1;
    return row;
  }

  /** Counts requests that were answered from the cache; returns who asked. */
  addSome(address: string, userAgent: string, requests: number, bodyBytes: number): ClientRow {
    const row = this.#rowOfAgent(address, userAgent);
    row.addSome('cache', requests, bodyBytes);
    if (!row.isOwn) this.requests += requests;
    return row;
  }

  tick(seconds: number): boolean {
    return this.#rows.tick(seconds);
  }

  busiest(countMax: number): readonly ListedClient[] {
    return this.#rows.busiest(countMax).map((row) => ({
      address: row.address,
      userAgent: row.userAgent,
      ...row.counts(),
    }));
  }

  get gone(): TrafficCounts {
    return this.#rows.gone.counts();
  }

  get goneCount(): number {
    return this.#rows.goneCount;
  }

  rowOf({ client, request }: RequestRecord): ClientRow {
    if (client.isOwn) return this.#own;
    return this.#rowOfAgent(client.address, firstHeader(request, 'user-agent') ?? '');
  }

  #rowOfAgent(address: string, sent: string): ClientRow {
    const userAgent = sent.length > userAgentCharsMax ? sent.slice(0, userAgentCharsMax) : sent;
    const known = this.#byAddress.get(address)?.get(userAgent);
    if (known !== undefined) return known;
    if (userAgent.startsWith(ownAgent)) return this.#own;
    return this.#admit(address, userAgent);
  }

  #admit(address: string, userAgent: string): ClientRow {
    // A part of a string keeps all of it: the row must not hold a whole request head.
    const agent = Buffer.from(userAgent, 'latin1').toString('latin1');
    const row = this.#rows.admit(new ClientRow(address, agent, false));
    const byAgent = this.#byAddress.get(address) ?? new Map<string, ClientRow>();
    byAgent.set(agent, row);
    this.#byAddress.set(address, byAgent);
    return row;
  }

  #forget({ address, userAgent }: ClientRow): void {
    const byAgent = this.#byAddress.get(address);
    byAgent?.delete(userAgent);
    if (byAgent?.size === 0) this.#byAddress.delete(address);
  }
}

export const hotNeedlesMax = 512;

class NeedleRow extends HotRow {
  readonly key: string;
  readonly volumeId: number;
  readonly needleId: bigint;

  constructor(key: string, volumeId: number, needleId: bigint) {
    super();
    this.key = key;
    this.volumeId = volumeId;
    this.needleId = needleId;
  }
}

/**
 * The needles that are asked for most. Reading a needle's name takes longer than everything else that is counted: of busy
 * traffic only some requests come here, each for several, and the counts are estimates.
 */
class HotNeedles {
  readonly #byKey = new Map<string, NeedleRow>();
  readonly #rows = new HotRows<NeedleRow>(hotNeedlesMax, ({ key }) => this.#byKey.delete(key));

  get size(): number {
    return this.#rows.size;
  }

  /** `weight`: how many requests this one stands for. */
  observe(record: RequestRecord, weight: number): void {
    const needle = needlePathOf(record.request.target);
    if (needle === undefined) return;
    const { volumeId, needleId } = needle;
    const key = `${volumeId},${needleIdText(needleId)}`;
    let row = this.#byKey.get(key);
    if (row === undefined) {
      row = this.#rows.admit(new NeedleRow(key, volumeId, needleId));
      this.#byKey.set(key, row);
    }
    row.add(record, weight);
  }

  tick(seconds: number): boolean {
    return this.#rows.tick(seconds);
  }

  busiest(countMax: number): readonly HotNeedle[] {
    return this.#rows.busiest(countMax).map((row) => ({
      volumeId: row.volumeId,
      needleId: row.needleId,
      ...row.counts(),
    }));
  }
}
