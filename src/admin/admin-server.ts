/** The admin listener of both roles, on a port of its own: status pages, the admin API, its description, the dashboard. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { backlog, ConnectionBounds } from '../connections/connection-bounds.ts';
import { Turnstile } from '../connections/turnstile.ts';
import { type AccessHooks, accessHooks } from './admin-access.ts';
import type { AdminListen, AdminOptions } from './admin-options.ts';
import { json, jsonText } from './admin-page.ts';
import { addBenchRoute } from './api/bench-route.ts';
import { addCacheRoutes } from './api/cache-routes.ts';
import { addConfigRoute } from './api/config-route.ts';
import { openApiHead } from './api/openapi.ts';
import { OwnListener } from './api/own-listener.ts';
import { addReadRoutes } from './api/read-routes.ts';
import { addRequestRoutes } from './api/request-routes.ts';
import { addTrafficRoute } from './api/traffic-route.ts';
import { addDashboard } from './dashboard-routes.ts';
import { JoinedBody } from './joined-body.ts';
import { RequestTurns } from './request-turns.ts';
import { addStatusRoutes, probePaths, statusPaths } from './status-routes.ts';

export type { AdminOptions } from './admin-options.ts';

export interface RunningAdmin {
  /** host:port as bound, or unix:/path. */
  readonly address: string;
  close(): Promise<void>;
}

/** For a request to come in whole, from when its connection was accepted; what is done about it has limits of its own. */
const requestMsMax = 10_000;
/** Longer than Node's own time for a connection at rest. */
const restMsMax = 10_000;
/** Clients' bytes are read for so long in a turn of the event loop. */
const turnMs = 5;
/** How late the end of that time may be noticed. */
const checkEveryMs = 1_000;
/** Without a byte of an answer taken: longer than whatever works silently. */
const standstillMsMax = 120_000;
export const requestBytesMax: number = 1024 * 1024;

/** Rejects when the address cannot be bound. */
export async function startAdmin(options: AdminOptions): Promise<RunningAdmin> {
  const server = createServer({
    requestTimeout: requestMsMax,
    headersTimeout: requestMsMax,
    connectionsCheckingInterval: checkEveryMs,
  });
  server.timeout = standstillMsMax;
  const connections = new ConnectionBounds(server, options.limits, {
    turnstile: new Turnstile(turnMs),
    restMsMax,
    requestMsMax,
  });
  let address = '';
  const app = await buildAdmin(options, server, connections, () => address);
  try {
    await listening(server, options.listen);
  } catch (error) {
    await app.close();
    throw error;
  }
  address = boundAddress(server, options.listen);
  return {
    address,
    close: async () => {
      options.proxy?.traffic.close();
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
      await app.close();
    },
  };
}

async function buildAdmin(
  options: AdminOptions,
  server: Server,
  connections: ConnectionBounds,
  address: () => string,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    return503OnClosing: false,
    bodyLimit: requestBytesMax,
    ajv: { customOptions: { removeAdditional: false } },
    serverFactory: (handler) => server.on('request', handler),
  });
  const turns = new RequestTurns();
  readJson(app, turns);
  app.setSerializerCompiler(() => jsonText);
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const { statusCode = 500, message } = error;
    const isOfType = statusCode === 415;
    const text = isOfType ? 'send JSON, with Content-Type: application/json' : message;
    return json(reply, statusCode, { error: text });
  });
  addHeaders(app, options.enableCors);
  admitRequests(app, connections, turns, notFound(methodsByPath(app), options.enableCors));
  await app.register(swagger, { openapi: openApiHead(options) });
  const hooks = accessHooks(options.token, address);
  await addRoutes(app, options, hooks);
  await app.ready();
  return app;
}

async function addRoutes(
  app: FastifyInstance,
  options: AdminOptions,
  hooks: AccessHooks,
): Promise<void> {
  addStatusRoutes(app, options, hooks);
  addConfigRoute(app, options, hooks);
  await addDashboard(app);
  if (options.proxy === undefined) return;
  const listener = new OwnListener(options.proxy.connect);
  app.addHook('onClose', async () => listener.close());
  addCacheRoutes(app, options.proxy, hooks);
  addTrafficRoute(app, options.proxy, hooks);
  addRequestRoutes(app, options.proxy, hooks);
  addReadRoutes(app, listener, hooks);
  addBenchRoute(app, options.proxy, listener, hooks);
}

/** Other origins may read the status pages where that is configured; never what is under /api. */
function addHeaders(app: FastifyInstance, enableCors: boolean): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('Cache-Control', 'no-store').header('X-Content-Type-Options', 'nosniff');
    if (!enableCors || !statusPaths.some((path) => path === pathOf(request.url))) return;
    reply
      .header('Access-Control-Allow-Origin', '*')
      .header('Access-Control-Allow-Headers', 'Authorization')
      .header('Access-Control-Allow-Methods', 'GET, HEAD, OPTIONS');
  });
}

/**
 * Where all connections are busy, those beyond them are for probes. Where many requests came together, probes go first, and a request for
 * which there is no page is refused before its body is read.
 */
function admitRequests(
  app: FastifyInstance,
  connections: ConnectionBounds,
  turns: RequestTurns,
  refuse: NotFound,
): void {
  app.addHook('onRequest', async (request, reply) => {
    const { socket } = request.raw;
    const isProbe = probePaths.some((path) => path === pathOf(request.url));
    // A probe has a connection to itself, as a kubelet's has: what else came on it costs nothing more.
    if (isProbe || connections.isReserve(socket)) reply.header('Connection', 'close');
    if (connections.isReserve(socket)) {
      // At once: a request that waits would keep its place from a probe.
      if (!isProbe)
        return json(reply, 503, { error: 'too many connections: only probes are answered' });
    }
    // Node answers a pipeline whose requests have bodies in one turn of the event loop: others have theirs between.
    await (isProbe ? nextTurn() : turns.wait(socket));
    // The connection of a pipeline was closed: no client would read the answer.
    if (socket.destroyed) return reply.hijack();
    return request.is404 ? refuse(request, reply) : undefined;
  });
}

/** Bodies that came together are parsed one a turn. Schemas judge the names in them. */
function readJson(app: FastifyInstance, turns: RequestTurns): void {
  // JSON alone: a form on another site's page cannot send that without being asked about it first.
  app.removeContentTypeParser('text/plain');
  app.addHook('preParsing', async (request, _reply, body) =>
    request.method === 'POST' ? pipeline(body, new JoinedBody(), () => undefined) : body,
  );
  const parse = app.getDefaultJsonParser('ignore', 'ignore');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    const { socket } = request.raw;
    void turns.wait(socket).then(() => {
      if (socket.destroyed) done(new Error('the connection has closed'));
      else void parse(request, body as string, done);
    });
  });
}

function methodsByPath(app: FastifyInstance): ReadonlyMap<string, ReadonlySet<string>> {
  const byPath = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = byPath.get(url) ?? new Set();
    byPath.set(url, methods);
    for (const each of [method].flat()) methods.add(each);
  });
  return byPath;
}

type NotFound = (request: FastifyRequest, reply: FastifyReply) => FastifyReply;

function notFound(
  methods: ReadonlyMap<string, ReadonlySet<string>>,
  enableCors: boolean,
): NotFound {
  return (request, reply) => {
    const path = pathOf(request.url);
    const allowed = methods.get(path);
    if (allowed === undefined) {
      return json(reply, 404, {
        error: `no such page; there are ${statusPaths.join(' ')}, and what /openapi.json lists`,
      });
    }
    const isStatus = statusPaths.some((each) => each === path);
    if (request.method === 'OPTIONS' && enableCors && isStatus) return json(reply, 200, {});
    const names = [...allowed];
    reply.header('Allow', names.join(', '));
    return json(reply, 405, { error: `${names.join(' and ')} only` });
  };
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '/';
}

function listening(server: Server, listen: AdminListen): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...listen, backlog }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function boundAddress(server: Server, listen: AdminListen): string {
  if ('path' in listen) return `unix:${listen.path}`;
  const { address, family, port } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
