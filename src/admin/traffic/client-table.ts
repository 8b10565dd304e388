/** A table of clients: a row for each pair of a client's address and its User-Agent, at most `clientsMax` of them. */
import { firstHeader } from '../../http1/request-head.ts';
import type { RequestRecord } from '../../needle/outcome.ts';
import type { ListedClient, TrafficCounts } from './clients-status.ts';
import { HotRow, HotRows } from './hot-rows.ts';

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

export class ClientTable {
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
