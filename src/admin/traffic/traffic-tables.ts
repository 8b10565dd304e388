/**
 * Tables of the clients' requests: by client, by volume, by needle. Requests that this package's own programs make are
 * counted apart. Every table has a limit of its own.
 */

import { firstHeader } from '../../http1/request-head.ts';
import { needleIdText, needlePathOf, volumeIdOf } from '../../needle/request/needle-path.ts';
import { type Outcome, outcomes, type RequestRecord } from '../../needle/request-record.ts';
import type {
  ClientsStatus,
  HotNeedle,
  ListedClient,
  Traffic,
  TrafficCounts,
} from './clients-status.ts';

type Reasons = Map<RequestRecord['reason'], number>;

/** Time constants of the two averages: one is shown, the other decides which row leaves. */
const shownSeconds = 5;
const keptSeconds = 60;
/** Requests per second below which a row is at rest. */
const restPerSecond = 0.005;

/** Counts of what is asked for, or who asks. */
class HotRow {
  readonly outcomes: Record<Outcome, number> = { cache: 0, rdma: 0, passthrough: 0, error: 0 };
  requests = 0;
  bodyBytes = 0;
  perSecond = 0;
  /** How much it was used lately. */
  score = 0;
  /** undefined: every request was answered here. */
  #reasons: { readonly passthrough: Reasons; readonly errors: Reasons } | undefined;
  #sinceTick = 0;

  /** `weight`: how many requests this one stands for. */
  add({ outcome, reason, bodyBytes }: RequestRecord, weight = 1): void {
    this.requests += weight;
    this.outcomes[outcome] += weight;
    this.bodyBytes += bodyBytes * weight;
    this.score += weight;
    this.#sinceTick += weight;
    if (reason !== '') this.#addReason(outcome, reason, weight);
  }

  #addReason(outcome: Outcome, reason: RequestRecord['reason'], weight: number): void {
    this.#reasons ??= { passthrough: new Map(), errors: new Map() };
    const { passthrough, errors } = this.#reasons;
    const counts = outcome === 'error' ? errors : passthrough;
    counts.set(reason, (counts.get(reason) ?? 0) + weight);
  }

  /** Called every so often. False: it is at rest. */
  tick(seconds: number): boolean {
    const rate = this.#sinceTick / seconds;
    this.#sinceTick = 0;
    this.perSecond += (rate - this.perSecond) * (1 - Math.exp(-seconds / shownSeconds));
    this.score *= Math.exp(-seconds / keptSeconds);
    if (this.perSecond >= restPerSecond) return true;
    this.perSecond = 0;
    return this.score >= restPerSecond;
  }

  /** Takes over the counts of a row that left. */
  absorb(gone: HotRow): void {
    this.requests += gone.requests;
    this.bodyBytes += gone.bodyBytes;
    for (const outcome of outcomes) this.outcomes[outcome] += gone.outcomes[outcome];
    const { passthrough = [], errors = [] } = gone.#reasons ?? {};
    for (const [reason, count] of passthrough) this.#addReason('passthrough', reason, count);
    for (const [reason, count] of errors) this.#addReason('error', reason, count);
  }

  counts(): TrafficCounts {
    return {
      perSecond: Math.round(this.perSecond * 100) / 100,
      requests: this.requests,
      outcomes: { ...this.outcomes },
      passthrough: Object.fromEntries(this.#reasons?.passthrough ?? []),
      errors: Object.fromEntries(this.#reasons?.errors ?? []),
      bodyBytes: this.bodyBytes,
    };
  }
}

/**
 * A table whose length is fixed: when it is full, the row that was used least lately makes room. What a row has counted is
 * exact for as long as it stays; counts of rows that left are kept in one sum.
 */
class HotRows<Row extends HotRow> {
  /** Sum of the rows that left. */
  readonly gone: HotRow = new HotRow();
  /** How many left. */
  goneCount = 0;
  readonly #rows: Row[] = [];
  readonly #rowsMax: number;
  readonly #onGone: (row: Row) => void;

  /** `onGone`: called when a row leaves, so that its holder forgets it. */
  constructor(rowsMax: number, onGone: (row: Row) => void) {
    this.#rowsMax = rowsMax;
    this.#onGone = onGone;
  }

  get size(): number {
    return this.#rows.length;
  }

  admit(row: Row): Row {
    if (this.#rows.length < this.#rowsMax) {
      this.#rows.push(row);
      return row;
    }
    const place = this.#leastUsed();
    const gone = this.#rows[place] as Row;
    this.#rows[place] = row;
    this.gone.absorb(gone);
    this.goneCount += 1;
    this.#onGone(gone);
    return row;
  }

  tick(seconds: number): boolean {
    let isBusy = false;
    for (const row of this.#rows) isBusy = row.tick(seconds) || isBusy;
    return isBusy;
  }

  /** The busiest first. */
  busiest(countMax: number): readonly Row[] {
    return this.#rows
      .toSorted((a, b) => b.perSecond - a.perSecond || b.requests - a.requests)
      .slice(0, countMax);
  }

  #leastUsed(): number {
    let least = 0;
    for (let at = 1; at < this.#rows.length; at += 1) {
      if ((this.#rows[at] as Row).score < (this.#rows[least] as Row).score) least = at;
    }
    return least;
  }
}

export const volumesMax = 1024;

class VolumeRow extends HotRow {
  readonly volumeId: number;

  constructor(volumeId: number) {
    super();
    this.volumeId = volumeId;
  }
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
    const row = this.#rowOf(record);
    row.add(record);
    if (!row.isOwn) this.requests += 1;
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

  #rowOf({ client, request }: RequestRecord): ClientRow {
    if (client.isOwn) return this.#own;
    const sent = firstHeader(request, 'user-agent') ?? '';
    const userAgent = sent.length > userAgentCharsMax ? sent.slice(0, userAgentCharsMax) : sent;
    const known = this.#byAddress.get(client.address)?.get(userAgent);
    if (known !== undefined) return known;
    if (userAgent.startsWith(ownAgent)) return this.#own;
    return this.#admit(client.address, userAgent);
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
