/**
 * What real roles expose, against the page that explains it; and the accounting of a proxy that gets every kind of
 * request, against what was sent.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const admin = '[admin]\nlisten = "127.0.0.1:0"\n';
const largeBytes = 8 * 1024 * 1024;

interface Stack {
  readonly origin: Role;
  readonly port: number;
  readonly adminUrl: string;
  readonly targetAdminUrl: string;
}

async function started(role: string, config: string): Promise<[Role, Record<string, string>]> {
  const running = startRole([role, '--config', scratch.write(`${role}.toml`, config)]);
  return [running, (await running.ready()) as Record<string, string>];
}

/** Volume 3: needles 1 to 3 of 3,000 bytes, needle 4 of 8 MiB, needle 5 deleted. */
async function startStack(): Promise<Stack> {
  using volume = createVolume({ dir: scratch.folder, volumeId: 3 });
  for (const needleId of [1n, 2n, 3n, 5n]) {
    volume.append({ needleId, cookie: 7, data: Buffer.alloc(3_000, 1), mime: 'a/b' });
  }
  volume.append({ needleId: 4n, cookie: 7, data: Buffer.alloc(largeBytes, 2), mime: 'a/b' });
  volume.delete(5n);
  const origin = startRole(['origin', '--dir', scratch.folder, '--listen', '127.0.0.1:0']);
  const upstream = `http://${(await origin.ready())['http']}`;
  const [, target] = await started(
    'target',
    `[rdma]\nport = 0\nbuffer_size = "64MiB"\n[target]\ndirs = ["${scratch.folder}"]\nvolume_server_url = "${upstream}"\n${admin}`,
  );
  const [, proxy] = await started(
    'proxy',
    `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "${upstream}"\n[rdma]\ntarget = "${target['rdma']}"\n[memory]\nsize = "64MiB"\n${admin}`,
  );
  return {
    origin,
    port: Number(proxy['http']?.split(':').at(-1)),
    adminUrl: `http://${proxy['admin']}`,
    targetAdminUrl: `http://${target['admin']}`,
  };
}

async function scrape(adminUrl: string): Promise<string[]> {
  return (await (await fetch(`${adminUrl}/metrics`)).text()).split('\n');
}

/** Of all series whose name and labels contain `what`. */
function sumOf(lines: readonly string[], name: string, what = ''): number {
  return lines
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => line.includes(what))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Sends, and resolves with what came when the connection has ended. */
function exchange(
  port: number,
  text: string,
  options: { readonly endAfterBytes?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (received.length >= (options.endAfterBytes ?? Number.POSITIVE_INFINITY)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
    socket.end(text, 'latin1');
  });
}

const fid = (needleId: bigint, cookie = 7): string => `/${formatFid(3, needleId, cookie)}`;
const close = 'Host: a\r\nConnection: close\r\n\r\n';
const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${close}`;

async function whenServed(stack: Stack): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    await exchange(stack.port, get(fid(1n)));
    const lines = await scrape(stack.adminUrl);
    if (sumOf(lines, 'seaweed_rdma_requests_total', 'outcome="rdma"') > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('never served from the fabric');
}

/** Until nothing is in hand. */
async function settled(adminUrl: string): Promise<string[]> {
  for (;;) {
    const lines = await scrape(adminUrl);
    const open = ['seaweed_rdma_requests_in_flight', 'seaweed_rdma_raw_pipes'];
    if (open.every((name) => sumOf(lines, name) === 0)) return lines;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe.skipIf(!loadBinding().hasUcx)('a proxy and a target over UCX', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
    await whenServed(stack);
  });

  test('expose what the page explains, all of it and nothing else', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
    const [proxyPart = '', targetPart = ''] = page.split('\n## Target\n');
    const ofNode = /^(process|nodejs)_/;
    for (const [part, url] of [
      [proxyPart, stack.adminUrl],
      [targetPart, stack.targetAdminUrl],
    ] as const) {
      const documented = [...part.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(
        ([, name, type]) => `${name} ${type}`,
      );
      const exposed = (await scrape(url))
        .filter((line) => line.startsWith('# TYPE '))
        .map((line) => line.slice('# TYPE '.length));
      expect(exposed.filter((name) => ofNode.test(name)).length).toBeGreaterThan(10);
      const ours = exposed.filter((name) => !ofNode.test(name));
      expect(ours.toSorted()).toEqual(documented.toSorted());
    }
  });

  test('account for every request once, whatever became of it', async () => {
    const { port, adminUrl } = stack;
    const before = await settled(adminUrl);
    const one: readonly string[] = [
      get(fid(2n)),
      get(fid(2n)),
      get(fid(4n)),
      `HEAD ${fid(3n)} HTTP/1.1\r\n${close}`,
      `GET ${fid(1n)} HTTP/1.1\r\nRange: bytes=5-9\r\n${close}`,
      get('/status'),
      get(`${fid(1n)}?dl&response-expires=1&Response-Expires=2`),
      get(fid(5n)),
      get(fid(77n)),
      get(fid(1n, 8)),
      get('/9,0000000001'),
      `POST ${fid(1n)} HTTP/1.1\r\nContent-Length: 3\r\n${close}abc`,
      `POST ${fid(1n)} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${close}3\r\nabc\r\n0\r\n\r\n`,
      `GET ${fid(1n)} HTTP/1.1\r\nTE: trailers\r\n${close}`,
      `GET ${fid(1n)} HTTP/1.0\r\n\r\n`,
      `GET ${fid(77n)} HTTP/1.0\r\n\r\n`,
      `GET ${fid(1n)} HTTP/1.1\r\nExpect: 100-continue\r\n${close}`,
      `GET ${fid(1n)} HTTP/1.1\r\nUpgrade: h2c\r\n${close}`,
      `GET ${fid(1n)} HTTP/1.2\r\n${close}`,
      'GET /odd',
    ];
    for (const text of one) await exchange(port, text);
    const pipelined = `GET ${fid(1n)} HTTP/1.1\r\nHost: a\r\n\r\n`;
    await exchange(port, pipelined.repeat(4) + get('/status'));
    await Promise.all(
      Array.from({ length: 3 }, () => exchange(port, get(fid(4n)), { endAfterBytes: 1_000 })),
    );
    await exchange(port, '');
    stack.origin.signal('SIGKILL');
    await stack.origin.ended;
    const refused = await exchange(port, get('/status'));
    expect(refused).toMatch(/^HTTP\/1\.1 502 /);

    const sent = one.length + 5 + 3 + 1;
    const after = await settled(adminUrl);
    const grown = (name: string, what = ''): number =>
      sumOf(after, name, what) - sumOf(before, name, what);
    const requests = 'seaweed_rdma_requests_total';
    expect(grown(requests)).toBe(sent);
    expect(grown('seaweed_rdma_requests_entered_total')).toBe(sent);
    expect(grown('seaweed_rdma_request_duration_seconds_count')).toBe(sent);
    const outcomes = ['cache', 'rdma', 'passthrough', 'error'];
    const counted = outcomes.map((outcome) => grown(requests, `outcome="${outcome}"`));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(sent);
    expect(counted.every((count) => count > 0)).toBe(true);
    expect(grown(requests, 'outcome="passthrough",reason="raw"')).toBe(2);
    expect(grown('seaweed_rdma_requests_entered_total', 'way="raw"')).toBe(2);
    expect(grown('seaweed_rdma_requests_entered_total', 'way="framework"')).toBe(2);
    expect(grown('seaweed_rdma_raw_pipes_total')).toBe(2);
    expect(grown(requests, 'outcome="error",reason="upstream-down"')).toBe(1);
    expect(grown('seaweed_rdma_client_connections_total', 'accepted')).toBe(one.length + 6);
    const reasonsSeen = ['path', 'query', 'deleted', 'not-found', 'cookie', 'method'];
    for (const reason of reasonsSeen) {
      const label = `outcome="passthrough",reason="${reason}"`;
      expect([reason, grown(requests, label) > 0]).toEqual([reason, true]);
    }
    // Not the two raw ones, not the chunked one of the framework; and the one whose server was gone.
    expect(grown('seaweed_rdma_upstream_requests_total')).toBe(
      grown(requests, 'outcome="passthrough"') - 2 - 1 + 1,
    );
    expect(sumOf(after, 'seaweed_rdma_sessions_total', 'established')).toBe(1);
    expect(sumOf(after, 'seaweed_rdma_target_ping_seconds')).toBeGreaterThan(0);
    expect(grown('seaweed_rdma_fetches_total')).toBe(grown('rdma_operations_total'));
    expect(grown('seaweed_rdma_fetched_bytes_total')).toBe(
      grown('rdma_bytes_transferred_total', 'rx'),
    );
  });
});
