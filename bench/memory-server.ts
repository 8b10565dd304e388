/**
 * Needles answered from memory by Node's http module or by fastify: what a proxy could at best do on top of them.
 * Arguments: http or fastify; the needles as JSON.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import type { Needles } from './needles.ts';

const [kind, needles] = process.argv.slice(2);
const bodies = new Map<string, Buffer>();
for (const { bytes, paths } of JSON.parse(needles ?? '[]') as readonly Needles[]) {
  for (const [index, path] of paths.entries()) bodies.set(path, Buffer.alloc(bytes, index));
}
const headers = {
  'Accept-Ranges': 'bytes',
  'Content-Type': 'image/jpeg',
  Etag: '"1badcafe"',
  'Last-Modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
};

const server = kind === 'fastify' ? await startFastify() : await startHttp();
server.keepAliveTimeout = 600_000;
process.send?.({ port: (server.address() as AddressInfo).port });
process.once('disconnect', () => process.exit(0));

async function startHttp(): Promise<Server> {
  const http = createServer((request, response) => {
    const body = bodies.get(request.url ?? '');
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...headers, 'Content-Length': body.length }).end(body);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return http;
}

async function startFastify(): Promise<Server> {
  const app = fastify();
  app.get('/*', (request, reply) => {
    const body = bodies.get(request.url);
    return body === undefined ? reply.code(404).send() : reply.headers(headers).send(body);
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return app.server;
}
