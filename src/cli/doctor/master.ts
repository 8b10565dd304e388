/** Reads what a master of SeaweedFS tells clients: each volume server's two addresses, and where asking them leads. */
import { randomInt } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { type AdminAddress, AdminClient } from '../admin/admin-client.ts';
import { ask } from './http-question.ts';
import type { ListenSetting } from './setup.ts';

/** Where a client that takes an address arrives. */
export interface Arrival {
  /** host:port, as the master names it. */
  readonly address: string;
  /** silent: no server answers there. */
  readonly at: 'proxy' | 'elsewhere' | 'silent';
  /** How that is known. */
  readonly how: string;
}

export interface NamedServer {
  readonly url: Arrival;
  readonly publicUrl: Arrival;
  /** Volume ids as the master shows them: "1-5 7". */
  readonly volumeIds: readonly number[];
  /** Answer of /dir/lookup for the server's first volume; '' where it has none. */
  readonly lookup: string;
}

export type MasterFacts =
  | { readonly kind: 'failed'; readonly master: string; readonly detail: string }
  | { readonly kind: 'named'; readonly master: string; readonly servers: readonly NamedServer[] };

export interface MasterQuestion {
  /** host:port. */
  readonly master: string;
  readonly timeoutMs: number;
  /** http.listen of the proxy. */
  readonly listen: ListenSetting['address'];
  /** The proxy's admin listener. */
  readonly admin: AdminAddress;
}

interface DataNode {
  readonly Url?: string;
  readonly PublicUrl?: string;
  readonly VolumeIds?: string;
}

export async function gatherMaster(question: MasterQuestion): Promise<MasterFacts> {
  const { master, timeoutMs } = question;
  const status = await askJson(`http://${master}/dir/status`, timeoutMs);
  if (status.kind === 'failed') return { kind: 'failed', master, detail: status.detail };
  const nodes = dataNodesOf(status.value);
  if (nodes === undefined) {
    const detail = 'GET /dir/status has no Topology: it is no master of SeaweedFS';
    return { kind: 'failed', master, detail };
  }
  const servers = await Promise.all(nodes.map((node) => namedServer(node, question)));
  return { kind: 'named', master, servers };
}

async function namedServer(node: DataNode, question: MasterQuestion): Promise<NamedServer> {
  const { Url: url = '', PublicUrl: publicUrl = '', VolumeIds = '' } = node;
  const volumeIds = idsOf(VolumeIds);
  const arrivals = [url, publicUrl === '' ? url : publicUrl].map((each) => arrival(each, question));
  const [first, second] = (await Promise.all(arrivals)) as [Arrival, Arrival];
  const located = await lookupText(volumeIds[0], question);
  return { url: first, publicUrl: second, volumeIds, lookup: located };
}

async function lookupText(
  volumeId: number | undefined,
  { master, timeoutMs }: MasterQuestion,
): Promise<string> {
  if (volumeId === undefined) return '';
  const path = `/dir/lookup?volumeId=${volumeId}`;
  const answer = await askJson(`http://${master}${path}`, timeoutMs);
  if (answer.kind === 'failed') return `GET ${path}: ${answer.detail}`;
  const { locations = [] } = answer.value as {
    locations?: readonly { url?: string; publicUrl?: string }[];
  };
  const shown = locations.map((each) => `url ${each.url}, publicUrl ${each.publicUrl}`);
  return `GET ${path}: ${shown.join('; ') || 'no location'}`;
}

/**
 * A request with a mark of its own is sent there; the running proxy says whether it saw that mark, also where a rule of
 * this host leads the connection elsewhere. Without a running proxy addresses are compared.
 */
async function arrival(address: string, question: MasterQuestion): Promise<Arrival> {
  const { admin, timeoutMs } = question;
  const mark = newMark();
  const url = `http://${address}/status?collection=${mark}`;
  if (!URL.canParse(url)) return { address, at: 'silent', how: `"${address}" is no address` };
  const asked = await ask(new URL(url), timeoutMs);
  if (asked.kind === 'failed') return { address, at: 'silent', how: asked.detail };
  const seen = await wasSeen(mark, new AdminClient(admin, timeoutMs));
  if (seen === undefined) {
    const isHere = await isProxysOwn(address, question.listen);
    const how = 'by its address: the running proxy cannot be asked';
    return { address, at: isHere ? 'proxy' : 'elsewhere', how };
  }
  const how = seen ? 'a request sent there came to it' : 'a request sent there did not come to it';
  return { address, at: seen ? 'proxy' : 'elsewhere', how };
}

/** Without nine hexadecimal digits in a row: those would be masked as a needle's id and cookie. */
function newMark(): string {
  return ['doctor', randomInt(1e8), randomInt(1e8)].join('-');
}

/** undefined: the proxy cannot be asked. */
async function wasSeen(mark: string, client: AdminClient): Promise<boolean | undefined> {
  try {
    const { requests } = await client.json<{ requests: readonly object[] }>(
      `/api/requests?own=true&limit=1&path=${mark}`,
    );
    return requests.length > 0;
  } catch {
    return undefined;
  }
}

const anyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Does the proxy listen at this address of this host? */
export async function isProxysOwn(
  address: string,
  listen: ListenSetting['address'],
): Promise<boolean> {
  if ('path' in listen) return false;
  const { hostname, port } = new URL(`http://${address}`);
  if (Number(port === '' ? 80 : port) !== listen.port) return false;
  const [named, bound] = await Promise.all([addressesOf(hostname), addressesOf(listen.host)]);
  if (!bound.some((each) => anyAddress.has(each)))
    return named.some((each) => bound.includes(each));
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((each) => each?.map((one) => one.address) ?? []),
  );
  return named.some((each) => own.has(each) || each.startsWith('127.'));
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    const found = await lookup(host.replace(/^\[|\]$/g, ''), { all: true });
    return found.map(({ address }) => address);
  } catch {
    return [];
  }
}

type JsonResult =
  | { readonly kind: 'answer'; readonly value: object }
  | { readonly kind: 'failed'; readonly detail: string };

async function askJson(url: string, timeoutMs: number): Promise<JsonResult> {
  const result = await ask(new URL(url), timeoutMs, { 'accept-encoding': 'identity' });
  if (result.kind === 'failed') return { kind: 'failed', detail: result.detail };
  const { status, body } = result.answer;
  if (status !== 200) return { kind: 'failed', detail: `status ${status}` };
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return { kind: 'answer', value };
  } catch {
    // Said below.
  }
  return { kind: 'failed', detail: 'the answer is no JSON' };
}

/** undefined: it is not what a master answers. */
function dataNodesOf(value: object): readonly DataNode[] | undefined {
  const { Topology } = value as { Topology?: { DataCenters?: unknown } };
  if (typeof Topology !== 'object' || Topology === null) return undefined;
  return listOf(Topology.DataCenters).flatMap((center) =>
    listOf(center['Racks']).flatMap((rack) => listOf(rack['DataNodes']) as readonly DataNode[]),
  );
}

/** Go writes an empty list as null. */
function listOf(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value : [];
}

const idsMax = 100_000;

/** " 1-5 7" → 1, 2, 3, 4, 5, 7. */
export function idsOf(text: string): readonly number[] {
  const ids: number[] = [];
  for (const [, from = '', upTo = from] of text.matchAll(/(\d+)(?:-(\d+))?/g)) {
    for (let id = Number(from); id <= Number(upTo) && ids.length < idsMax; id += 1) ids.push(id);
  }
  return ids;
}
