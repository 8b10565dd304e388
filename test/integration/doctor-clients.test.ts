/** The doctor on who comes to a running proxy, and on what a master tells clients: real programs. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { freePorts } from '../free-ports.ts';
import { type Examined, examine, planted, secrets, serve } from './doctor-rig.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { startWeed, weed } from './weed-server.ts';

const scratch = scratchFolder();
const cookie = 0x637037d6;
const tokenFile = scratch.write('token', 'an-admin-token');
secrets.push('an-admin-token');
let origin: Role;
let originAddress = '';
let proxy: Role;
let http = '';
let file = '';

function proxyFile(ports: readonly number[], volumeServer: string): string {
  return scratch.write(
    `proxy-${ports[0]}.toml`,
    `[http]\nlisten = "127.0.0.1:${ports[0]}"\n[admin]\nlisten = "127.0.0.1:${ports[1]}"\n` +
      `token_file = ${JSON.stringify(tokenFile)}\n[rdma]\nmode = "off"\n` +
      `[seaweedfs]\nvolume_server_url = "http://${volumeServer}"\n`,
  );
}

beforeAll(async () => {
  const dir = join(scratch.folder, 'data');
  mkdirSync(dir);
  using volume = createVolume({ dir, volumeId: 3 });
  volume.append({ needleId: 1n, cookie, data: Buffer.from('some bytes') });
  origin = startRole(['origin', '--dir', dir, '--listen', '127.0.0.1:0']);
  originAddress = String((await origin.line('ready'))['http']);
  file = proxyFile(await freePorts(2), originAddress);
  proxy = startRole(['proxy', '--config', file]);
  http = String((await proxy.line('ready'))['http']);
});

afterAll(async () => {
  await proxy.stop();
  await origin.stop();
});

const ask = (...more: readonly string[]): Promise<Examined> =>
  examine(['--config', file, '--only', 'clients', ...more]);

interface Node {
  readonly Url: string;
  readonly PublicUrl: string;
  readonly VolumeIds: string;
}

/** host:port of what answers as a master with these volume servers does. */
async function masterOf(...nodes: readonly Node[]): Promise<string> {
  const url = await serve((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://a');
    const [node] = nodes;
    const locations = [{ url: node?.Url, publicUrl: node?.PublicUrl }];
    const answer =
      pathname === '/dir/status'
        ? { Topology: { DataCenters: [{ Racks: [{ DataNodes: nodes }] }] } }
        : { locations };
    response.end(JSON.stringify(answer));
  });
  return url.replace('http://', '');
}

const named = (url: string, publicUrl: string, ids = ' 3'): Node => ({
  Url: url,
  PublicUrl: publicUrl,
  VolumeIds: ids,
});

describe('who came', () => {
  test('is nobody at first, also after the doctor and its probes: it says where to send them', async () => {
    await ask('--master', await masterOf(named(http, originAddress)));
    const { summary, fixes } = planted(await ask(), 'client-requests', 'warn');
    expect(summary).toMatch(/^no client request since the start, \d+ s ago$/);
    expect(fixes).toContain('docs/deploy.md#how-clients-come-to-the-proxy');
    expect(fixes).toContain('--master');
  });

  test('is told with how they were answered', async () => {
    const path = `/${formatFid(3, 1n, cookie)}`;
    const headers = { 'user-agent': 'a-test' };
    for (let i = 0; i < 3; i += 1) await (await fetch(`http://${http}${path}`, { headers })).text();
    const few = planted(await ask(), 'client-requests', 'ok');
    expect(few.summary).toMatch(/^3 requests of 1 client, .*; 0\.0 % answered here$/);
    expect(few.evidence).toEqual(['127.0.0.1 a-test: 3 requests, 0.0 % here, off 3']);
    for (let i = 0; i < 120; i += 1) await (await fetch(`http://${http}${path}`)).text();
    const many = planted(await ask(), 'client-requests', 'warn');
    expect(many.summary).toBe('none of 123 client requests was answered here');
    expect(many.fixes).toContain('docs/reasons.md');
  });

  test('is not known while the proxy does not run, and no question where there is none', async () => {
    const idle = proxyFile(await freePorts(2), originAddress);
    const off = await examine(['--config', idle, '--only', 'clients']);
    expect(planted(off, 'client-requests', 'skip').evidence[0]).toContain('nothing listens there');
    expect(planted(off, 'client-addresses', 'skip').summary).toBe('needs --master HOST:PORT');
    const none = await examine(['--only', 'clients']);
    expect(none.report.checks.map(({ result }) => result)).toEqual(['skip', 'skip']);
  });
});

describe('what a master names', () => {
  const against = async (node: Node, ...more: readonly string[]): Promise<Examined> =>
    ask('--master', await masterOf(node), ...more);

  test('brings every client here', async () => {
    const examined = await against(named(http, http));
    const { summary, evidence } = planted(examined, 'client-addresses', 'ok');
    expect(summary).toBe(`${http}: every client arrives at this proxy`);
    expect(evidence.join('\n')).toContain('a request sent there came to it');
    expect(evidence.at(-1)).toBe(`GET /dir/lookup?volumeId=3: url ${http}, publicUrl ${http}`);
  });

  test('brings those alone that take publicUrl, or those alone that take url', async () => {
    const byPublic = planted(await against(named(originAddress, http)), 'client-addresses', 'warn');
    expect(byPublic.summary).toContain(`only clients that take publicUrl (${http}) arrive`);
    expect(byPublic.fixes).toContain('the filer, the S3 gateway');
    const byUrl = planted(await against(named(http, originAddress)), 'client-addresses', 'warn');
    expect(byUrl.summary).toContain(`(${originAddress}) go past this proxy`);
    expect(byUrl.fixes).toContain(`-publicUrl=${http}`);
  });

  test('brings nobody, or is not answered at all', async () => {
    const past = planted(await against(named(originAddress, originAddress)), 'client-addresses');
    expect(past.summary).toBe(`${originAddress}: no client arrives at this proxy`);
    expect(past.fixes).toContain(`weed volume -publicUrl=${http}`);
    const silent = planted(await against(named('127.0.0.1:1', '')), 'client-addresses');
    expect(silent.evidence[0]).toContain('127.0.0.1:1 is not answered (connect ECONNREFUSED');
  });

  test('has volumes of which no configured volume server knows', async () => {
    const { summary, fixes } = planted(
      await against(named(http, http, ' 40-42 50')),
      'client-addresses',
      'warn',
    );
    expect(summary).toContain('no configured volume server has its volumes (40, 41, 42, 50)');
    expect(fixes).toContain('seaweedfs.volume_server_url');
  });

  test('cannot be told by who is no master, or names no server', async () => {
    const other = planted(await ask('--master', originAddress), 'client-addresses');
    expect([other.summary, other.fixes]).toEqual([
      expect.stringContaining('cannot be asked'),
      expect.stringContaining('9333'),
    ]);
    const down = planted(await ask('--master', '127.0.0.1:1'), 'client-addresses');
    expect(down.summary).toContain('ECONNREFUSED');
    const empty = planted(await ask('--master', await masterOf()), 'client-addresses', 'warn');
    expect(empty.summary).toContain('names no volume server');
  });

  test('is compared by address where the proxy does not run', async () => {
    const idle = proxyFile(await freePorts(2), originAddress);
    const master = await masterOf(named(originAddress, originAddress));
    const examined = await examine(['--config', idle, '--only', 'clients', '--master', master]);
    const { evidence } = planted(examined, 'client-addresses');
    expect(evidence[0]).toContain('by its address: the running proxy cannot be asked');
  });
});

describe.skipIf(weed === undefined)('a real master (WEED_BIN)', () => {
  test('is understood: its volume server has the proxy as publicUrl', async () => {
    const ports = await freePorts(2);
    const server = await startWeed(`127.0.0.1:${ports[0]}`);
    const config = proxyFile(ports, `127.0.0.1:${server.port}`);
    const running = startRole(['proxy', '--config', config]);
    try {
      await running.line('ready');
      const master = `127.0.0.1:${server.masterPort}`;
      const only = ['--only', 'clients', '--master', master];
      const { summary, evidence } = planted(
        await examine(['--config', config, ...only]),
        'client-addresses',
        'warn',
      );
      expect(summary).toContain(`only clients that take publicUrl (127.0.0.1:${ports[0]}) arrive`);
      expect(evidence.at(-1)).toContain(
        `url 127.0.0.1:${server.port}, publicUrl 127.0.0.1:${ports[0]}`,
      );
    } finally {
      await running.stop();
      server.close();
    }
  }, 60_000);
});
