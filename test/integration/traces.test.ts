/** Spans of a real proxy at a real OTLP receiver: HTTP with JSON, as the protocol says. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { startUpstream, type UpstreamFixture } from './http-front-fixture.ts';
import { type Environment, type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const cookie = 0x637037d6;
const path = `/${formatFid(3, 1n, cookie)}`;
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${parentId}-01`;

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly status: { readonly code?: number };
}

interface Receiver {
  readonly url: string;
  readonly spans: Span[];
  readonly resources: string[];
  readonly connections: () => number;
  close(): void;
}

async function startReceiver(): Promise<Receiver> {
  const spans: Span[] = [];
  const resources: string[] = [];
  let connections = 0;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      expect(request.url).toBe('/v1/traces');
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
        resourceSpans: { resource: object; scopeSpans: { spans: Span[] }[] }[];
      };
      for (const { resource, scopeSpans } of body.resourceSpans) {
        resources.push(JSON.stringify(resource));
        for (const scope of scopeSpans) spans.push(...scope.spans);
      }
      response.setHeader('Content-Type', 'application/json').end('{}');
    });
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    resources,
    connections: () => connections,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Says into a file which modules are loaded. */
const listModules = scratch.write(
  'list-modules.cjs',
  `const { appendFileSync } = require('node:fs');
  require('node:module').registerHooks({
    load(url, context, next) {
      appendFileSync(process.env.MODULE_LIST, url + '\\n');
      return next(url, context);
    },
  });`,
);

interface Traced {
  readonly role: Role;
  readonly url: string;
  readonly modules: () => string;
}

let count = 0;

async function startProxy(upstreamUrl: string, environment: Environment): Promise<Traced> {
  count += 1;
  const file = scratch.write(
    `proxy-${count}.toml`,
    `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "${upstreamUrl}"\n[rdma]\ntransport = "inproc"\ndirs = ["${scratch.folder}"]\n[memory]\nsize = "16MiB"\n[admin]\nlisten = "127.0.0.1:0"\n`,
  );
  const list = join(scratch.folder, `modules-${count}`);
  const role = startRole(['proxy', '--config', file], {
    NODE_OPTIONS: `--require ${listModules}`,
    MODULE_LIST: list,
    ...environment,
  });
  const ready = await role.ready();
  return {
    role,
    url: `http://${ready['http']}`,
    modules: () => (existsSync(list) ? readFileSync(list, 'utf8') : ''),
  };
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(url, { headers });
  await answer.arrayBuffer();
  return answer.headers.get('x-amz-request-id') ?? '';
}

function attributesOf(span: Span): Record<string, unknown> {
  return Object.fromEntries(
    span.attributes.map(({ key, value }) => {
      const plain: unknown = Object.values(value)[0];
      return [key, key.includes('.header.') ? JSON.stringify(plain) : plain];
    }),
  );
}

let origin: Role;
let originUrl = '';
let upstream: UpstreamFixture;
const receivers: Receiver[] = [];

beforeAll(async () => {
  using volume = createVolume({ dir: scratch.folder, volumeId: 3 });
  volume.append({ needleId: 1n, cookie, data: Buffer.alloc(3_000, 1), mime: 'a/b' });
  origin = startRole(['origin', '--dir', scratch.folder, '--listen', '127.0.0.1:0']);
  originUrl = `http://${(await origin.ready())['http']}`;
  upstream = await startUpstream(({ socket }) => {
    socket.write(
      'HTTP/1.1 500 Odd\r\nServer: x\r\nX-Amz-Request-Id: THEIRS\r\nContent-Length: 0\r\n\r\n',
    );
  });
});
afterAll(async () => {
  await upstream.close();
  for (const receiver of receivers) receiver.close();
});

async function tracing(): Promise<[Receiver, Environment]> {
  const receiver = await startReceiver();
  receivers.push(receiver);
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    // Nothing is sent before the end but what SIGTERM flushes.
    OTEL_BSP_SCHEDULE_DELAY: '60000',
    OTEL_RESOURCE_ATTRIBUTES: 'rack=7',
  };
  return [receiver, environment];
}

describe('with an OTLP endpoint', () => {
  test('every request has a span below its client’s, flushed at SIGTERM', async () => {
    const [receiver, environment] = await tracing();
    const proxy = await startProxy(originUrl, environment);
    const ids = [
      await ask(proxy.url + path, { traceparent, 'X-Amz-Request-Id': 'mine' }),
      await ask(proxy.url + path),
    ];
    expect(await proxy.role.stop()).toBe(0);
    expect(proxy.modules()).toContain('@opentelemetry/sdk-node');

    const servers = receiver.spans.filter(({ kind }) => kind === 2);
    expect(servers.map(({ name }) => name)).toEqual(['GET /{vid},{fid}', 'GET /{vid},{fid}']);
    const [first, second] = servers as [Span, Span];
    expect(first).toMatchObject({ traceId, parentSpanId: parentId });
    expect(second.traceId).not.toBe(traceId);
    expect(second.parentSpanId ?? '').toBe('');
    expect(attributesOf(first)).toMatchObject({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.response.body.size': 3_000,
      'http.route': '/{vid},{fid}',
      'url.path': '/3,01…',
      'seaweed_rdma.outcome': 'rdma',
      'seaweed_rdma.transport': 'inproc',
      'seaweedfs.volume_id': 3,
      'seaweedfs.needle_id': '01',
    });
    expect(attributesOf(first)['http.response.header.x-amz-request-id']).toContain(ids[0]);
    expect(attributesOf(first)['http.request.header.x-amz-request-id']).toContain('mine');
    expect(attributesOf(second)['seaweed_rdma.outcome']).toBe('cache');
    expect(JSON.stringify(receiver.spans)).not.toContain('637037d6');

    const children = (span: Span): Span[] =>
      receiver.spans.filter(({ parentSpanId }) => parentSpanId === span.spanId);
    expect(children(first).map(({ name }) => name)).toEqual(['fetch', 'send']);
    expect(children(second).map(({ name }) => name)).toEqual(['lookup', 'send']);
    for (const child of children(first)) {
      expect(child.traceId).toBe(traceId);
      expect(BigInt(child.startTimeUnixNano)).toBeGreaterThanOrEqual(
        BigInt(first.startTimeUnixNano),
      );
      expect(BigInt(child.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(first.endTimeUnixNano));
    }
    const startedMs = Number(BigInt(first.startTimeUnixNano) / 1_000_000n);
    expect(Math.abs(startedMs - Date.now())).toBeLessThan(60_000);
    expect(receiver.resources[0]).toContain('seaweed-rdma-proxy');
    expect(receiver.resources[0]).toContain('rack');
  });

  test('what is passed goes on byte for byte, and its failure is told', async () => {
    const [receiver, environment] = await tracing();
    const proxy = await startProxy(upstream.url, { ...environment, OTEL_SERVICE_NAME: 'named' });
    const headers = { traceparent, tracestate: 'a=b' };
    expect(await ask(`${proxy.url}/odd?jwt=secret`, headers)).toBe('THEIRS');
    await proxy.role.stop();
    const received = upstream.received.find(({ head }) => head.startsWith('GET /odd'));
    expect(received?.head).toContain(`traceparent: ${traceparent}\r\n`);
    expect(received?.head).toContain('tracestate: a=b\r\n');
    const span = receiver.spans.find(({ kind }) => kind === 2) as Span;
    expect(span).toMatchObject({
      name: 'GET',
      traceId,
      parentSpanId: parentId,
      status: { code: 2 },
    });
    expect(attributesOf(span)).toMatchObject({
      'url.path': '/odd',
      'url.query': 'jwt=…',
      'http.response.status_code': 500,
      'error.type': '500',
      'seaweed_rdma.outcome': 'passthrough',
      'seaweed_rdma.reason': 'path',
    });
    expect(receiver.spans.filter(({ name }) => name === 'passthrough')).toHaveLength(1);
    expect(receiver.resources[0]).toContain('named');
  });

  test('a parent that is not sampled is respected', async () => {
    const [receiver, environment] = await tracing();
    const proxy = await startProxy(originUrl, environment);
    await ask(proxy.url + path, { traceparent: traceparent.replace(/01$/, '00') });
    await proxy.role.stop();
    expect(receiver.spans).toEqual([]);
  });

  test('a collector that is not there is told in the log, and costs no request', async () => {
    const proxy = await startProxy(originUrl, {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
      OTEL_BSP_SCHEDULE_DELAY: '10',
    });
    await ask(proxy.url + path);
    expect(await proxy.role.line('traces')).toMatchObject({ level: 'warn' });
    await ask(proxy.url + path);
    expect(await proxy.role.stop()).toBe(0);
  });
});

describe('without one', () => {
  test.each([
    ['no OTEL_* variable', {}],
    ['OTEL_SDK_DISABLED', { OTEL_SDK_DISABLED: 'true' }],
    ['OTEL_TRACES_EXPORTER=none', { OTEL_TRACES_EXPORTER: 'none' }],
  ])('nothing is loaded and nobody is connected to: %s', async (_name, changed) => {
    const [receiver, environment] = await tracing();
    const isBare = Object.keys(changed).length === 0;
    const proxy = await startProxy(originUrl, isBare ? {} : { ...environment, ...changed });
    await ask(proxy.url + path, { traceparent });
    expect(await proxy.role.stop()).toBe(0);
    expect(proxy.modules()).toContain('/fastify/');
    // prom-client loads the API, which does nothing without an SDK.
    expect(proxy.modules()).not.toMatch(/@opentelemetry\/(?!api\/)/);
    expect(proxy.modules()).not.toContain('pino-pretty');
    expect(receiver.connections()).toBe(0);
  });
});
