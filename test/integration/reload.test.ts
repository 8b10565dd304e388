/** SIGHUP: what takes effect, what waits for a restart, and that an operator who missed the log finds out. */
import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();

interface Row {
  readonly key: string;
  readonly old: unknown;
  readonly new: unknown;
}

interface Configuration {
  readonly loadedAt: string;
  readonly reloads: number;
  readonly reloadFailures: number;
  readonly lastReload: null | {
    readonly ok: boolean;
    readonly applied: readonly Row[];
    readonly needRestart: readonly Row[];
    readonly unchanged: number;
    readonly problems: readonly { readonly line: number; readonly message: string }[];
  };
}

function proxyToml(change: Readonly<Record<string, string>> = {}): string {
  const { level = 'info', mode = 'off', connections = '20000', cache = '256MiB' } = change;
  const { debug = 'false', upstream = 'http://127.0.0.1:9' } = change;
  return `[http]
listen = "127.0.0.1:0"
debug_headers = ${debug}
[seaweedfs]
volume_server_url = "${upstream}"
[rdma]
mode = "${mode}"
[cache]
size = "${cache}"
[limits]
connections = ${connections}
[admin]
listen = "127.0.0.1:0"
[logging]
level = "${level}"
`;
}

function targetToml(level: string, sessions: number): string {
  return `[rdma]
port = 0
device_name = "lo"
tls = "tcp"
buffer_size = "8MiB"
max_sessions = ${sessions}
[target]
dirs = ["${scratch.folder}"]
unconfirmed = true
[admin]
listen = "127.0.0.1:0"
[logging]
level = "${level}"
`;
}

/** Sends SIGHUP and waits until the role has counted it. */
async function reload(role: Role, admin: string): Promise<Configuration> {
  const before = (await stats(admin)).reloads;
  role.signal('SIGHUP');
  for (;;) {
    const now = await stats(admin);
    if (now.reloads > before) return now;
  }
}

async function stats(admin: string): Promise<Configuration> {
  const { configuration } = (await json(admin, '/stats')) as { configuration: Configuration };
  return configuration;
}

async function json(admin: string, path: string): Promise<unknown> {
  return (await fetch(`http://${admin}${path}`)).json();
}

async function metric(admin: string, name: string): Promise<number> {
  const text = await (await fetch(`http://${admin}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

describe('SIGHUP', () => {
  test('a proxy keeps saying what waits for a restart until the file agrees again', async () => {
    const file = scratch.write('proxy.toml', proxyToml());
    const proxy = startRole(['proxy', '--config', file]);
    const admin = String((await proxy.ready())['admin']);
    expect(await stats(admin)).toMatchObject({ reloads: 0, lastReload: null });

    scratch.write(
      'proxy.toml',
      proxyToml({ level: 'warn', mode: 'require', connections: '7', cache: '1MiB' }),
    );
    const first = await reload(proxy, admin);
    expect(first.lastReload).toMatchObject({
      ok: true,
      applied: [
        { key: 'limits.connections', old: 20000, new: 7 },
        { key: 'logging.level', old: 'info', new: 'warn' },
      ],
      needRestart: [
        { key: 'rdma.mode', old: 'off', new: 'require' },
        { key: 'cache.size', old: '256MiB', new: '1MiB' },
      ],
    });
    expect(first.lastReload?.unchanged).toBeGreaterThan(30);

    // Nothing new in the file: what waits still waits.
    const second = await reload(proxy, admin);
    expect(second.lastReload?.applied).toEqual([]);
    expect(second.lastReload?.needRestart.map(({ key }) => key)).toEqual([
      'rdma.mode',
      'cache.size',
    ]);
    expect(await metric(admin, 'seaweed_rdma_config_restart_needed_keys')).toBe(2);
    expect(await json(admin, '/health')).toMatchObject({
      checks: { configuration: { detail: 'waits for a restart: rdma.mode, cache.size' } },
    });

    scratch.write('proxy.toml', proxyToml());
    expect((await reload(proxy, admin)).lastReload?.needRestart).toEqual([]);
    expect(await metric(admin, 'seaweed_rdma_config_restart_needed_keys')).toBe(0);
    expect(await proxy.stop()).toBe(0);
  });

  test('a file with errors changes nothing, is told with its lines, and degrades /health', async () => {
    const file = scratch.write('broken.toml', proxyToml());
    const proxy = startRole(['proxy', '--config', file]);
    const admin = String((await proxy.ready())['admin']);
    scratch.write('broken.toml', proxyToml({ connections: '0', level: 'debug' }));
    const broken = await reload(proxy, admin);
    expect(broken).toMatchObject({ reloadFailures: 1, lastReload: { ok: false, applied: [] } });
    expect(broken.lastReload?.problems).toMatchObject([
      { line: 11, message: 'must be 1 to 10000000, not 0' },
    ]);
    expect(await proxy.line('reload-failed')).toMatchObject({
      level: 'error',
      problems: [{ key: 'limits.connections' }],
    });
    expect(await json(admin, '/health')).toMatchObject({
      checks: { configuration: { status: 'degraded' } },
    });
    expect(await metric(admin, 'seaweed_rdma_config_last_reload_successful')).toBe(0);

    scratch.write('broken.toml', proxyToml({ level: 'debug' }));
    expect((await reload(proxy, admin)).lastReload).toMatchObject({
      ok: true,
      applied: [{ key: 'logging.level', old: 'info', new: 'debug' }],
    });
    expect(await metric(admin, 'seaweed_rdma_config_last_reload_successful')).toBe(1);
    expect(await proxy.stop()).toBe(0);
  });

  test('limits.connections is in effect for the next connection', async () => {
    const file = scratch.write('limits.toml', proxyToml());
    const proxy = startRole(['proxy', '--config', file]);
    const { admin, http } = await proxy.ready();
    const status = async (): Promise<number> =>
      (await fetch(`http://${String(http)}/x`, { headers: { connection: 'close' } })).status;
    // The volume server is not there.
    expect(await status()).toBe(502);
    scratch.write('limits.toml', proxyToml({ connections: '1' }));
    await reload(proxy, String(admin));
    const [host = '', port = ''] = String(http).split(':');
    const held = connect(Number(port), host);
    await once(held, 'connect');
    expect(await status()).toBe(503);
    held.destroy();
    expect(await proxy.stop()).toBe(0);
  });

  test('http.debug_headers is in effect for the next answer, on connections that are open too', async () => {
    const server = createServer((_request, answer) => answer.end('from the volume server'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const file = scratch.write('debug.toml', proxyToml({ upstream }));
    const proxy = startRole(['proxy', '--config', file]);
    const { admin, http } = await proxy.ready();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const source = (): Promise<string | undefined> =>
      new Promise((resolve, reject) => {
        const asked = get(`http://${String(http)}/3,01637037d6`, { agent }, (answer) => {
          answer.resume().on('end', () => resolve(answer.headers['x-rdma-source'] as string));
        });
        asked.on('error', reject);
      });
    expect(await source()).toBeUndefined();
    scratch.write('debug.toml', proxyToml({ upstream, debug: 'true' }));
    expect((await reload(proxy, String(admin))).lastReload?.needRestart).toEqual([]);
    expect(await source()).toMatch(/^passthrough/);
    scratch.write('debug.toml', proxyToml({ upstream }));
    await reload(proxy, String(admin));
    expect(await source()).toBeUndefined();
    agent.destroy();
    server.close();
    expect(await proxy.stop()).toBe(0);
  });

  test('a target reports the same way', async () => {
    const file = scratch.write('target.toml', targetToml('info', 5));
    const target = startRole(['target', '--config', file]);
    const admin = String((await target.ready())['admin']);
    scratch.write('target.toml', targetToml('debug', 6));
    const now = await reload(target, admin);
    expect(now.lastReload).toMatchObject({
      applied: [{ key: 'logging.level', old: 'info', new: 'debug' }],
      needRestart: [{ key: 'rdma.max_sessions', old: 5, new: 6 }],
    });
    expect(await metric(admin, 'seaweed_rdma_config_restart_needed_keys')).toBe(1);
    expect(await target.stop()).toBe(0);
  });
});
