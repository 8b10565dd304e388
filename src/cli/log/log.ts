/** `seaweed-rdma log`: the last requests of a running proxy, or every one as it ends. */

import { type AdminAddress, AdminClient } from '../admin/admin-client.ts';
import { bytesText, secondsText } from '../admin/quantities.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print, printJson, visible } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';

export interface LogToolOptions {
  readonly place: AdminAddress;
  readonly timeoutMs: number;
  readonly json: boolean;
  readonly follow: boolean;
  /** Without `follow`: how many at most. */
  readonly limit: number;
  /** Names and values as /api/requests takes them. */
  readonly filters: Readonly<Record<string, string>>;
  /** Aborted when the operator presses Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A request as /api/requests lists it; docs/openapi.json describes it. */
export interface LoggedRequest {
  readonly at: string;
  readonly client: string;
  readonly isOwn: boolean;
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
  readonly outcome: string;
  readonly reason: string;
  readonly transport: string;
  readonly bodyBytes: number;
  readonly durationMs: number;
}

type LogLine =
  | ({ readonly event: 'request' } & LoggedRequest)
  | { readonly event: 'dropped'; readonly lines: number }
  | { readonly event: 'alive' }
  | { readonly event: 'end'; readonly detail: string };

/** Returns the exit code. */
export async function runLog(options: LogToolOptions): Promise<number> {
  return options.follow ? follow(options) : list(options);
}

async function list({ place, timeoutMs, json, limit, filters }: LogToolOptions): Promise<number> {
  const query = new URLSearchParams({ ...filters, limit: String(limit) });
  const { requests, sampledEvery } = await new AdminClient(place, timeoutMs).json<{
    requests: readonly LoggedRequest[];
    sampledEvery: number;
  }>(`/api/requests?${query}`);
  for (const each of requests.toReversed()) {
    if (json) printJson({ event: 'request', ...each });
    else print(requestLine(each));
  }
  if (sampledEvery > 1) {
    note(
      `of the requests that were answered here one in ${sampledEvery} is kept; --follow shows all`,
    );
  }
  return exitCodes.done;
}

/** Ends with the proxy, or when the operator ends it. */
async function follow({
  place,
  timeoutMs,
  json,
  filters,
  signal,
}: LogToolOptions): Promise<number> {
  const client = new AdminClient(place, timeoutMs);
  const query = new URLSearchParams(filters);
  let ended = '';
  await client.lines(`/api/requests/follow?${query}`, signal, (text) => {
    const line = JSON.parse(text) as LogLine;
    if (line.event === 'alive') return;
    if (line.event === 'end') ended = line.detail;
    if (json) print(text);
    else if (line.event === 'request') print(requestLine(line));
    else if (line.event === 'dropped') {
      note(`${line.lines} requests are not shown: they came faster than they were read`);
    }
  });
  if (ended !== '') note(`${client.address}: ${visible(ended)}`);
  if (ended !== '' || signal.aborted) return exitCodes.done;
  throw new ToolFailure(
    `${client.address} broke off: the proxy may have died; seaweed-rdma stats tells`,
    exitCodes.unavailable,
  );
}

/** Time, client, status, who answered, bytes, duration, request. */
export function requestLine(request: LoggedRequest): string {
  const { at, client, isOwn, method, path, status, outcome, reason, transport } = request;
  const who = isOwn ? 'this package' : client === '' ? 'unix socket' : client;
  const how = reason === '' ? transport : reason;
  const answered = how === 'none' ? outcome : `${outcome} ${how}`;
  const cells = [
    clockText(at),
    who.padEnd(15),
    String(status ?? '-').padStart(3),
    answered.padEnd(22),
    bytesText(request.bodyBytes).padStart(8),
    secondsText(request.durationMs / 1000).padStart(8),
    `${method === '' ? 'raw' : method} ${path}`,
  ];
  return visible(cells.join('  '));
}

/** Local time: 14:03:07.123. */
function clockText(at: string): string {
  const time = new Date(at);
  const ms = String(time.getMilliseconds()).padStart(3, '0');
  return `${time.toLocaleTimeString('en-GB')}.${ms}`;
}
