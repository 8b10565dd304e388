/**
 * Node's http server and fastify, for the requests that the lane hands over. Neither listens anywhere: connections are
 * virtual. Every request leaves the framework in its first hook, before anything is parsed, routed or answered.
 */
import { createServer } from 'node:http';
import fastify from 'fastify';
import type { Exchange } from './exchange.ts';
import type { VirtualConnection } from './virtual-connection.ts';

export interface Framework {
  /** Makes the server listen to a virtual connection. */
  adopt(virtual: VirtualConnection): void;
  close(): Promise<void>;
}

export type RequestHandler = (exchange: Exchange) => Promise<void>;

/** Starts the framework. An error that a handler throws fails its exchange. */
export async function startFramework(
  headBytesMax: number,
  handle: RequestHandler,
): Promise<Framework> {
  const server = createServer({
    // The lane has bounded and timed the head already.
    maxHeaderSize: headBytesMax + 1_024,
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
    return503OnClosing: false,
    // The router never sees a client's target: it would decode some and refuse others.
    rewriteUrl: () => '/',
    serverFactory: (handler) => server.on('request', handler),
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.hijack();
    const { exchange } = request.raw.socket as unknown as VirtualConnection;
    exchange.begin(request.raw, reply.raw);
    try {
      await handle(exchange);
    } catch (error) {
      exchange.fail(error);
    }
  });
  app.all('/', () => undefined);
  app.setNotFoundHandler(() => undefined);
  await app.ready();
  return {
    adopt: (virtual) => void server.emit('connection', virtual),
    close: () => app.close(),
  };
}
