/** Layer 9: is there a volume server of SeaweedFS at each URL, and what does it list. */
import { foreignFix, foreignServer } from '../../volume-server/foreign-server.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import { ask, type HttpAnswer } from './http-question.ts';
import { holderOf } from './ports.ts';
import { type ListeningSocket, type Owner, shownCommand } from './processes.ts';
import type { Settings } from './setup.ts';
import { isOnThisHost } from './this-host.ts';

export interface VolumeServerFacts {
  readonly url: string;
  /** '' when it answered GET /status. */
  readonly failure: string;
  /** "ECONNREFUSED"; '' where the failure has none. */
  readonly code: string;
  readonly status: number;
  /** The Server header. */
  readonly server: string;
  /** Volume ids by its own list; undefined: the answer is no list. */
  readonly volumes: readonly number[] | undefined;
  /** The server's directories, by their names on its host; empty where it does not tell. */
  readonly dirs: readonly string[];
  readonly answerMs: number;
  /** The server's clock minus this one; undefined without a Date header. */
  readonly clockAheadMs: number | undefined;
  /** A read without a token was answered with 401; undefined: not known. */
  readonly wantsTokens: boolean | undefined;
  /** "a filer", "a master" …: what answers there in its place; undefined: nothing says that it is none. */
  readonly foreign: string | undefined;
}

export async function gatherVolumeServer(
  url: string,
  timeoutMs: number,
): Promise<VolumeServerFacts> {
  const [status, probe] = await Promise.all([
    ask(new URL('/status', url), timeoutMs),
    // Volume 0 does not exist: 404 without read tokens, 401 with (the token is looked at first).
    ask(new URL('/0,000000000000', url), timeoutMs),
  ]);
  if (status.kind === 'failed') {
    const { code, detail } = status;
    return {
      url,
      failure: detail,
      code,
      status: 0,
      server: '',
      volumes: undefined,
      dirs: [],
      answerMs: 0,
      clockAheadMs: undefined,
      wantsTokens: undefined,
      foreign: undefined,
    };
  }
  const { answer } = status;
  const list = answer.status === 200 ? listOf(answer.body) : undefined;
  return {
    url,
    failure: '',
    code: '',
    status: answer.status,
    server: String(answer.headers['server'] ?? ''),
    volumes: list?.volumes,
    dirs: list?.dirs ?? [],
    answerMs: answer.headMs,
    clockAheadMs: clockAhead(answer.headers['date'], answer.askedAtMs, answer.headMs),
    wantsTokens: probe.kind === 'failed' ? undefined : probe.answer.status === 401,
    foreign: probe.kind === 'failed' ? undefined : foreignOf(probe.answer),
  };
}

function foreignOf({ headers, body }: HttpAnswer): string | undefined {
  return foreignServer(headers, body.subarray(0, 1024).toString('utf8'));
}

/** The header has whole seconds, cut: on average the server's clock read half a second more. */
export function clockAhead(
  date: string | undefined,
  askedAtMs: number,
  headMs: number,
): number | undefined {
  const server = Date.parse(date ?? '');
  return Number.isNaN(server) ? undefined : server + 500 - (askedAtMs + headMs / 2);
}

function listOf(body: Buffer): Pick<VolumeServerFacts, 'volumes' | 'dirs'> | undefined {
  let document: unknown;
  try {
    document = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof document !== 'object' || document === null || !('Volumes' in document)) {
    return undefined;
  }
  const disks = 'DiskStatuses' in document ? rowsOf(document.DiskStatuses) : undefined;
  const ids = rowsOf(document.Volumes)?.map(({ Id }) => Id);
  return {
    volumes: ids?.every((id) => typeof id === 'number') ? ids : undefined,
    dirs: (disks ?? []).flatMap(({ dir }) => (typeof dir === 'string' ? [dir] : [])),
  };
}

interface StatusRow {
  readonly Id?: unknown;
  readonly dir?: unknown;
}

/** null is Go's empty list. */
function rowsOf(list: unknown): readonly StatusRow[] | undefined {
  if (list === null) return [];
  return Array.isArray(list) ? list.map((row: StatusRow | null) => row ?? {}) : undefined;
}

export function judgeVolumeServers(
  settings: Settings | undefined,
  servers: readonly VolumeServerFacts[],
  listeners: readonly ListeningSocket[],
): readonly Finding[] {
  if (settings === undefined) {
    return [
      skip('volume-server', 'needs a configuration', [
        'would ask GET /status of each volume server: its Server header, its volumes',
      ]),
    ];
  }
  if (servers.length === 0) {
    return [skip('volume-server', 'target.unconfirmed = true: there is no volume server to ask')];
  }
  return servers.map((facts) => volumeServer(facts, settings.volumeServerKey, listeners));
}

function volumeServer(
  facts: VolumeServerFacts,
  key: string,
  listeners: readonly ListeningSocket[],
): Finding {
  const { url, failure, code, status, server, volumes, answerMs, foreign } = facts;
  if (failure !== '') {
    return fail('volume-server', {
      summary: `${url}: ${reachText(code, failure)}`,
      evidence: [`GET ${url}/status: ${failure}`],
      fix: [
        code === 'ECONNREFUSED'
          ? `start the volume server, or set ${key} to its address (weed volume -ip -port)`
          : `set ${key} to the volume server's address, and let this host reach it (firewall, NetworkPolicy)`,
      ],
    });
  }
  const evidence = [
    `GET ${url}/status: ${status} in ${answerMs} ms, Server: ${server || 'none'}, volumes: ${volumes === undefined ? 'no list' : shownIds(volumes)}`,
  ];
  if (foreign !== undefined) {
    return fail('volume-server', {
      summary: `${url}: this is ${foreign}, not a volume server`,
      evidence,
      fix: [foreignFix(key)],
    });
  }
  const ours = ownProxyAt(url, listeners);
  if (ours !== undefined) {
    return warn('volume-server', {
      summary: `${url}: this is a seaweed-rdma proxy, not the volume server`,
      evidence: [...evidence, `listening: pid ${ours.pid}: ${shownCommand(ours.command)}`],
      fix: [
        `set ${key} to what that proxy's own seaweedfs.volume_server_url names: each proxy and each target asks the volume server itself`,
      ],
    });
  }
  if (volumes === undefined || !/seaweed/i.test(server)) {
    return fail('volume-server', {
      summary: `${url} is not a volume server of SeaweedFS`,
      evidence,
      fix: [
        `set ${key} to the volume server's HTTP address (weed volume -port, 8080 by default; not the master's 9333, not the filer's 8888)`,
      ],
    });
  }
  return ok('volume-server', `${url}: ${server}, ${volumes.length} volumes`, evidence);
}

/**
 * Finds a proxy of this host that listens at `url`: a forwarded answer looks like the volume server's own, so only the
 * process tells.
 */
function ownProxyAt(url: string, listeners: readonly ListeningSocket[]): Owner | undefined {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (!isOnThisHost(host)) return undefined;
  const address = { host, port: port === '' ? 80 : Number(port) };
  const owner = holderOf(address, listeners)?.owner;
  return owner?.role === 'proxy' ? owner : undefined;
}

function reachText(code: string, failure: string): string {
  if (code === 'ECONNREFUSED') return 'nothing listens there';
  if (code === 'ETIMEDOUT') return 'it does not answer';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name is not known';
  if (/parse error|HPE_/i.test(`${code} ${failure}`)) return 'what listens there is no HTTP server';
  return failure;
}

const idsShown = 20;

export function shownIds(ids: readonly number[]): string {
  if (ids.length === 0) return 'none';
  const more = ids.length > idsShown ? ` and ${ids.length - idsShown} more` : '';
  return `${ids.slice(0, idsShown).join(', ')}${more}`;
}
