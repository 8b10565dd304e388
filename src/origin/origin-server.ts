/**
 * A read-only volume server for the demo and for tests where no real one is installed. It is made of the proxy's own
 * rooms (reader, corridor, response semantics), so it proves nothing about them: the recorded real server does that.
 * Not for production: no writes, no replication, no image operations, no chunk manifests.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestHead } from '../http1/request-head.ts';
import { type NeedleOutcome, type NeedleRoute, outcomeOf } from '../needle/needle-outcome.ts';
import type { Reason } from '../needle/reasons.ts';
import { parseRead } from '../needle/request/read-request.ts';
import { createNeedleRoute } from '../proxy/corridor/needle-route.ts';
import { TargetDirectory, targetEntry } from '../proxy/fleet/target-directory.ts';
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';
import { createRdmaClient } from '../rdma/rdma-client.ts';
import {
  answerFor,
  emptyAnswer,
  emptyNeedleAnswer,
  jsonAnswer,
  type OriginAnswer,
} from './origin-answers.ts';
import { OriginFacts } from './origin-facts.ts';
import { statusText } from './origin-status.ts';

export interface OriginOptions {
  readonly dirs: readonly string[];
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly logger: { info(fields: object, message: string): void };
}

export interface RunningOrigin {
  /** "host:port", as bound. */
  readonly address: string;
  readonly url: string;
  /** Idempotent. */
  close(): Promise<void>;
}

const arenaBytes = 256 * 1024 * 1024;
const needleBytesMax = 128 * 1024 * 1024;
const timeoutMs = 10_000;
const waitMs = 5;
const waitMsMax = 2_000;

/** Reasons that go away by themselves. */
const passing: ReadonlySet<Reason> = new Set([
  'volume-unconfirmed',
  'no-slab',
  'overload',
  'breaker',
]);

/** Rejects with RdmaUnavailableError when a directory cannot be read, with the system's error when not bound. */
export async function startOrigin(options: OriginOptions): Promise<RunningOrigin> {
  const client = createRdmaClient({
    kind: 'inproc',
    arenaBytes,
    hugepages: 'off',
    dirs: options.dirs,
    unconfirmed: true,
  });
  const fetcher = client.inproc();
  const entry = targetEntry('', fetcher, new OriginFacts());
  const route = createNeedleRoute(
    {
      mode: 'prefer',
      onCorrupt: 'pass',
      needleBytesMax,
      decodedBytesMax: needleBytesMax,
      timeoutMs,
      readKey: () => undefined,
    },
    new TargetDirectory([entry]),
  );
  const origin = new Origin(options.dirs, fetcher, route);
  const server = createServer((request, response) => {
    // A header value that Node refuses to send is the only way to get here.
    origin.handle(request, response).catch(() => response.destroy());
  });
  try {
    await isUp(fetcher);
    await listen(server, options.listen);
  } catch (error) {
    await client.close();
    throw error;
  }
  const { address, port, family } = server.address() as AddressInfo;
  const bound = family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
  options.logger.info({ event: 'ready', role: 'origin', http: bound }, 'origin is ready');
  let closing: Promise<void> | undefined;
  return {
    address: bound,
    url: `http://${bound}`,
    close(): Promise<void> {
      closing ??= stop(server).then(() => client.close());
      return closing;
    },
  };
}

class Origin {
  readonly #dirs: readonly string[];
  readonly #fetcher: NeedleFetcher;
  readonly #route: NeedleRoute;

  constructor(dirs: readonly string[], fetcher: NeedleFetcher, route: NeedleRoute) {
    this.#dirs = dirs;
    this.#fetcher = fetcher;
    this.#route = route;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const head: RequestHead = {
      method: request.method ?? '',
      target: request.url ?? '',
      rawHeaders: request.rawHeaders,
    };
    request.resume();
    const path = head.target.split('?', 1)[0];
    const isRead = head.method === 'GET' || head.method === 'HEAD';
    if (isRead && path === '/status') {
      const text = await statusText(this.#dirs, this.#fetcher.volumes.values());
      writeAnswer(response, jsonAnswer(head, '200 OK', text));
    } else if (isRead && (path === '/healthz' || path === '/readyz')) {
      writeAnswer(response, emptyAnswer(head, '200 OK'));
    } else {
      await this.#serve(head, response);
    }
  }

  async #serve(head: RequestHead, response: ServerResponse): Promise<void> {
    const outcome = await this.#outcome(head);
    if (outcome.kind === 'answer') {
      response.once('close', () => outcome.release());
      writeHead(response, outcome.answer.head);
      for (const part of outcome.answer.body) response.write(part);
      response.end();
      return;
    }
    const isEmptyNeedle = outcome.reason === 'cookie' && (await this.#isEmptyNeedle(head));
    const answer = isEmptyNeedle ? emptyNeedleAnswer(head) : answerFor(outcome.reason, head);
    writeAnswer(response, answer);
  }

  /** The real server keeps requests waiting while it swaps a volume's files; a reader's busy moment is ours too. */
  async #outcome(head: RequestHead): Promise<NeedleOutcome> {
    const until = performance.now() + waitMsMax;
    for (;;) {
      const outcome = await outcomeOf(this.#route, head, false);
      if (outcome.kind === 'answer' || !passing.has(outcome.reason)) return outcome;
      if (performance.now() > until) return outcome;
      await sleep(waitMs);
    }
  }

  /** The corridor leaves empty needles and wrong cookies alike to the volume server, which is us. */
  async #isEmptyNeedle(head: RequestHead): Promise<boolean> {
    const parsed = parseRead(head);
    if (parsed.kind !== 'read') return false;
    const { volumeId, needleId, cookie } = parsed.read;
    const sizes = { offset: 0, length: 0, wholeBytesMax: 0, budgetBytes: needleBytesMax };
    const command = { volumeId, needleId, cookie, ...sizes, metadataOnly: true, timeoutMs };
    const result = await this.#fetcher.read(command);
    if (result.kind === 'failed') return result.status === 'empty';
    result.data?.lease.release();
    return result.needle.dataBytes === 0;
  }
}

function writeAnswer(response: ServerResponse, answer: OriginAnswer): void {
  writeHead(response, answer.head);
  response.end(answer.body, 'latin1');
}

/** Hands a finished head to Node without what Node would add to it. */
function writeHead(response: ServerResponse, head: string): void {
  const [statusLine = '', ...lines] = head.trimEnd().split('\r\n');
  const [, status = '500', ...message] = statusLine.split(' ');
  const headers: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers.push(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
  }
  response.sendDate = false;
  if (!headers.includes('Connection')) response.removeHeader('Connection');
  response.writeHead(Number(status), message.join(' '), headers);
}

/** Resolves when the directories were read, rejects when they cannot be. */
function isUp(fetcher: NeedleFetcher): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const { state } = fetcher;
      if (state.kind === 'up') resolve();
      if (state.kind === 'down') reject(new Error(`origin: ${state.detail}`));
    };
    fetcher.onChange(look);
    look();
  });
}

function listen(server: Server, address: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
