/** The admin listener of both roles: /livez /readyz /health /stats /metrics, on a port of its own. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health, Readiness } from './health.ts';

export interface AdminOptions {
  readonly role: 'proxy' | 'target';
  readonly version: string;
  readonly listen: { readonly host: string; readonly port: number } | { readonly path: string };
  /** Asked for as `Authorization: Bearer`, except by /livez and /readyz; undefined: nobody is asked. */
  readonly token: () => string | undefined;
  readonly enableCors: boolean;
  readonly health: () => Health;
  readonly readiness: () => Readiness;
  /** Plain data for /stats. */
  readonly stats: () => object;
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
}

export interface RunningAdmin {
  /** host:port as bound, or unix:/path. */
  readonly address: string;
  close(): Promise<void>;
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const connectionsMax = 256;
const requestMsMax = 10_000;
const paths = ['/livez', '/readyz', '/health', '/stats', '/metrics'] as const;

/** Rejects when the address cannot be bound. */
export async function startAdmin(options: AdminOptions): Promise<RunningAdmin> {
  const startedAt = performance.now();
  const server = createServer((request, response) => {
    answer(options, startedAt, request)
      .catch(failurePage)
      .then((page) => {
        send(options, request, response, page);
      }, ignore);
  });
  server.maxConnections = connectionsMax;
  server.requestTimeout = requestMsMax;
  server.headersTimeout = requestMsMax;
  await listening(server, options.listen);
  return {
    address: boundAddress(server, options.listen),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function answer(
  options: AdminOptions,
  startedAt: number,
  request: IncomingMessage,
): Promise<Page> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  if (!paths.some((known) => known === path)) {
    return json(404, { error: `no such page; there are ${paths.join(' ')}` });
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    if (request.method === 'OPTIONS' && options.enableCors) return json(200, {});
    return json(405, { error: 'GET and HEAD only' });
  }
  if (path === '/livez') return json(200, { status: 'ok' });
  if (path === '/readyz') {
    const { isReady, detail } = options.readiness();
    return json(isReady ? 200 : 503, { status: isReady ? 'ready' : 'not ready', detail });
  }
  if (!isAuthorized(options.token(), request.headers.authorization)) {
    return json(401, { error: 'Authorization: Bearer <token> is required' });
  }
  const { role, version } = options;
  const uptimeSeconds = Math.round(performance.now() - startedAt) / 1000;
  if (path === '/health') {
    const health = options.health();
    const status = health.status === 'down' ? 503 : 200;
    return json(status, {
      status: health.status,
      role,
      version,
      uptimeSeconds,
      checks: health.checks,
    });
  }
  if (path === '/stats') return json(200, { role, version, uptimeSeconds, ...options.stats() });
  return { status: 200, ...(await options.metrics()) };
}

/** Compares digests: the time it takes tells nothing about the token. */
function isAuthorized(token: string | undefined, authorization: string | undefined): boolean {
  if (token === undefined) return true;
  const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'latin1').digest();
}

function json(status: number, value: object): Page {
  // Session ids have 64 bits: they go out as decimal strings.
  const text = JSON.stringify(
    value,
    (_key, member: unknown) => (typeof member === 'bigint' ? member.toString() : member),
    2,
  );
  return { status, type: 'application/json', text: `${text}\n` };
}

function failurePage(error: unknown): Page {
  return json(500, { error: error instanceof Error ? error.message : String(error) });
}

function ignore(): void {}

function send(
  options: AdminOptions,
  request: IncomingMessage,
  response: ServerResponse,
  page: Page,
): void {
  response.statusCode = page.status;
  response.setHeader('Content-Type', page.type);
  response.setHeader('Content-Length', Buffer.byteLength(page.text));
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (page.status === 401) response.setHeader('WWW-Authenticate', 'Bearer');
  if (page.status === 405) response.setHeader('Allow', 'GET, HEAD');
  if (options.enableCors) {
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Access-Control-Allow-Headers', 'Authorization');
    response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, OPTIONS');
  }
  response.end(request.method === 'HEAD' ? undefined : page.text);
}

function listening(server: Server, listen: AdminOptions['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function boundAddress(server: Server, listen: AdminOptions['listen']): string {
  if ('path' in listen) return `unix:${listen.path}`;
  const { address, family, port } = server.address() as AddressInfo;
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}
