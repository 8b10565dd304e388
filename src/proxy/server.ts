/**
 * The HTTP front: a net.Server whose connections are read by the lane, and fastify for what the lane hands over. The
 * pipeline of a handed-over request, in order: corridor, then passthrough. No logic of its own.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import {
  type ClientConnection,
  type ConnectionHost,
  refusalText,
} from './lane/client-connection.ts';
import type { Exchange } from './lane/exchange.ts';
import type { FrontCounters, FrontLimits } from './lane/limits.ts';
import { type ListenAddress, Listener } from './lane/listener.ts';
import type { VirtualConnection } from './lane/virtual-connection.ts';
import type { NeedleOutcome, NeedleRoute } from './needle-outcome.ts';
import type { RequestObserver } from './outcome.ts';
import { Passthrough } from './passthrough/passthrough.ts';

export interface HttpFrontOptions {
  readonly listen: ListenAddress;
  /** False: plain reads take the framework's way; the answers are the same. */
  readonly lane: boolean;
  readonly debugHeaders: boolean;
  readonly limits: FrontLimits;
  readonly logger: Logger;
}

export interface HttpFront {
  /** The bound host, or the path of a unix socket. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  readonly stats: Readonly<FrontCounters>;
  /** Stops listening, lets requests finish for at most `drainMs`, then destroys. Idempotent. */
  close(drainMs: number): Promise<void>;
}

const connectTimeoutMs = 5_000;
const answerTimeoutMs = 120_000;

/** Rejects where the address cannot be had. */
export async function startHttpFront(
  options: HttpFrontOptions,
  route: NeedleRoute,
  observe: RequestObserver,
): Promise<HttpFront> {
  const { limits, debugHeaders } = options;
  const counters: FrontCounters = { connections: 0, requestsInFlight: 0, bytesInFlight: 0 };
  const passthrough = new Passthrough({
    connectTimeoutMs,
    answerTimeoutMs,
    upstreamConnections: limits.requestsInFlight,
    debugHeaders,
  });
  const { app, server } = await buildFramework(limits, route, passthrough);
  let draining = false;
  const host: ConnectionHost = {
    route,
    observe,
    limits,
    counters,
    lane: options.lane,
    debugHeaders,
    connectTimeoutMs,
    get draining() {
      return draining;
    },
    adopt: (virtual) => void server.emit('connection', virtual),
  };
  const listener = new Listener(host);
  await listener.listen(options.listen);
  const bound = listener.address();
  let closed: Promise<void> | undefined;
  const close = async (drainMs: number): Promise<void> => {
    draining = true;
    await listener.close(drainMs);
    passthrough.close();
    await app.close();
  };
  return {
    address: typeof bound === 'string' ? bound : bound.address,
    port: typeof bound === 'string' ? 0 : bound.port,
    stats: counters,
    close: (drainMs) => (closed ??= close(drainMs)),
  };
}

async function buildFramework(
  limits: FrontLimits,
  route: NeedleRoute,
  passthrough: Passthrough,
): Promise<{ readonly app: FastifyInstance; readonly server: Server }> {
  const server = createServer({
    // The lane has bounded and timed the head already.
    maxHeaderSize: limits.headBytes + 1_024,
    headersTimeout: 0,
    requestTimeout: 0,
    keepAliveTimeout: 0,
  });
  server.maxHeadersCount = 0;
  server.on('clientError', (_error, socket) =>
    (socket as unknown as VirtualConnection).owner.nodeRefused(),
  );
  const app = fastify({
    logger: false,
    forceCloseConnections: false,
    return503OnClosing: false,
    // The router never sees a client's target: it would decode and refuse some.
    rewriteUrl: () => '/',
    serverFactory: (handler) => server.on('request', handler),
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.hijack();
    await answer(request.raw, reply.raw, route, passthrough);
  });
  app.all('/', () => undefined);
  app.setNotFoundHandler(() => undefined);
  await app.ready();
  return { app, server };
}

/** One request that the lane handed over. Every way out writes to its exchange. */
async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  route: NeedleRoute,
  passthrough: Passthrough,
): Promise<void> {
  const virtual = incoming.socket as unknown as VirtualConnection;
  const { exchange } = virtual;
  const connection = virtual.owner as ClientConnection;
  exchange.begin(incoming, outgoing);
  const outcome =
    exchange.decided ??
    connection.overload(exchange) ??
    (await route.serve(exchange.request.head, exchange.hasBody));
  switch (outcome.kind) {
    case 'answer':
      connection.answer(exchange, outcome);
      return;
    case 'error':
      exchange.refuse(outcome.status, outcome.reason, refusalText(outcome.reason));
      return;
    case 'passthrough':
      forward(exchange, outcome, passthrough);
  }
}

function forward(
  exchange: Exchange,
  outcome: Extract<NeedleOutcome, { kind: 'passthrough' }>,
  passthrough: Passthrough,
): void {
  const { reason, upstreamUrl, observe } = outcome;
  passthrough.forward({ exchange, upstreamUrl, reason, observe });
}
