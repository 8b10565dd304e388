/**
 * A client of the proxy's own HTTP listener: what is read for the admin API goes the way of every other request, through
 * tokens, corridor and counting, and is told by whom it was answered.
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { answerTo } from '../../http1/answer-to.ts';
import { outcomes } from '../../needle/request-record.ts';
import { described, oneOf, record, text, type ValueOf } from '../../schema/json-schema.ts';

export interface OwnRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export const readOutcome = record({
  outcome: described(
    oneOf(...outcomes, 'unknown'),
    'unknown: the listener is a unix socket, and http.debug_headers is off.',
  ),
  reason: text,
});
export type ReadOutcome = ValueOf<typeof readOutcome>;

const connectionsMax = 256;
/** Over a unix socket nothing else tells these requests from a client's. */
const userAgent = 'seaweed-rdma-admin';
/** After this an idle connection is closed: it would be counted among the clients'. */
const idleMsMax = 1_000;

export class OwnListener {
  readonly #agent = new Agent({
    keepAlive: true,
    maxSockets: connectionsMax,
    timeout: idleMsMax,
  });

  constructor(connect: () => Socket | undefined) {
    this.#agent.createConnection = () => {
      const socket = connect();
      if (socket === undefined) throw new ListenerClosed();
      return socket;
    };
  }

  /** Resolves with the answer's head. Rejects where there is none. */
  async get(wanted: OwnRequest): Promise<IncomingMessage> {
    const { path, headers, signal } = wanted;
    const named = { 'User-Agent': userAgent, ...headers };
    const asked = request({ agent: this.#agent, path, headers: named, signal, host: 'localhost' });
    asked.end();
    try {
      return await answerTo(asked);
    } catch (error) {
      // A connection that was used before may be closed while the next request is on its way.
      const { code } = error as NodeJS.ErrnoException;
      if (!asked.reusedSocket || code !== 'ECONNRESET' || signal.aborted) throw error;
      return this.get(wanted);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

export class ListenerClosed extends Error {
  readonly statusCode = 503;

  constructor() {
    super('the HTTP listener is not open: the proxy is starting or draining');
  }
}

/** Reads the outcome from `X-Rdma-Source`. */
export function readOutcomeOf(headers: IncomingHttpHeaders, status: number): ReadOutcome {
  const [source = '', reason = ''] = String(headers['x-rdma-source'] ?? '').split(';reason=');
  if (source === 'cache' || source === 'rdma' || source === 'passthrough') {
    return { outcome: source, reason };
  }
  // The proxy's own refusals carry no such header.
  return status >= 500 ? { outcome: 'error', reason: '' } : { outcome: 'unknown', reason: '' };
}

/** Reads an answer to its end; returns how many bytes its body had. */
export async function drained(answer: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  return bytes;
}
