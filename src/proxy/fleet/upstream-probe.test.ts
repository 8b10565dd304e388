import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { LearnedFacts } from './learned-facts.ts';
import { startUpstreamProbe, type UpstreamProbe } from './upstream-probe.ts';

let server: Server | undefined;
let probe: UpstreamProbe | undefined;

afterEach(() => {
  probe?.close();
  server?.close();
});

async function upstream(status: number, headers: Record<string, string>): Promise<string> {
  server = createServer((request, answer) => {
    answer.writeHead(request.url === '/0,000000000000' ? status : 500, headers);
    answer.end();
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function probed(upstreamUrl: string): Promise<{ facts: LearnedFacts; states: boolean[] }> {
  const facts = new LearnedFacts();
  const states: boolean[] = [];
  probe = startUpstreamProbe({
    upstreamUrl,
    facts,
    intervalMs: 1000,
    timeoutMs: 1000,
    onChange: ({ ok }) => states.push(ok),
  });
  await probe.first;
  return { facts, states };
}

describe('the upstream probe', () => {
  it('learns the Server value and that reads are open from a 404', async () => {
    const { facts, states } = await probed(await upstream(404, { server: 'SeaweedFS Volume X' }));
    expect(facts.server).toBe('SeaweedFS Volume X');
    expect(facts.auth).toBe('open');
    expect(states).toEqual([true]);
  });

  it('learns from a 401 that reads need a token', async () => {
    const { facts } = await probed(await upstream(401, { server: 'SeaweedFS Volume X' }));
    expect(facts.auth).toBe('required');
  });

  it('tells a volume server in Rust from the one in Go', async () => {
    const headers = { server: 'SeaweedFS Volume X', 'x-request-id': '1', 'x-amz-request-id': '1' };
    expect((await probed(await upstream(404, headers))).facts.kind).toBe('rust');
    probe?.close();
    server?.close();
    const own = { Server: 'SeaweedFS Volume X', 'X-Amz-Request-Id': '1' };
    expect((await probed(await upstream(404, own))).facts.kind).toBe('go');
  });

  it('learns nothing from an answer without Server', async () => {
    const { facts, states } = await probed(await upstream(200, {}));
    expect(facts.server).toBeUndefined();
    expect(facts.auth).toBe('unknown');
    expect(states).toEqual([false]);
  });

  it('learns nothing from an answer that is mostly framing', async () => {
    server = createServer((_request, { socket }) => {
      socket?.write('HTTP/1.1 404 Not Found\r\nServer: SeaweedFS Volume X\r\n');
      socket?.write('Transfer-Encoding: chunked\r\n\r\n');
      socket?.end(`${'1\r\na\r\n'.repeat(50_000)}0\r\n\r\n`);
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const { facts, states } = await probed(`http://127.0.0.1:${port}`);
    expect(facts.server).toBeUndefined();
    expect(states).toEqual([false]);
  });

  it('reports an unreachable server and does not throw', async () => {
    const url = await upstream(404, {});
    await new Promise((resolve) => server?.close(resolve));
    const { facts, states } = await probed(url);
    expect(facts.server).toBeUndefined();
    expect(states).toEqual([false]);
  });
});
