/** The configuration of both roles, read from real files. */

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkFile } from '../../src/config/check-file.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { loadProxyConfig } from '../../src/config/proxy-config.ts';
import { loadTargetConfig } from '../../src/config/target-config.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const root = join(import.meta.dirname, '..', '..');
let files = 0;

type Environment = Readonly<Record<string, string>>;

function proxy(toml: string, environment: Environment = {}): ReturnType<typeof loadProxyConfig> {
  files += 1;
  return loadProxyConfig(scratch.write(`proxy-${files}.toml`, toml), environment);
}

function target(toml: string, environment: Environment = {}): ReturnType<typeof loadTargetConfig> {
  files += 1;
  return loadTargetConfig(scratch.write(`target-${files}.toml`, toml), environment);
}

/** "key@line: message" of everything that is wrong. */
function problemsOf(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ key, line, message }) => `${key}@${line ?? '-'}: ${message}`);
  }
  return [];
}

function problemKeys(load: () => unknown): string[] {
  return problemsOf(load).map((problem) => problem.split('@')[0] ?? '');
}

describe('proxy.toml', () => {
  test('an empty file gives the defaults, frozen all the way down', () => {
    const config = proxy('');
    expect(config.http.listen).toEqual({ host: '0.0.0.0', port: 8080 });
    expect(config.volumeServers).toEqual([
      { url: 'http://127.0.0.1:18080', target: '127.0.0.1:18515' },
    ]);
    expect(config.limits.needleBytesMax).toBe(64 * 2 ** 20);
    expect(config.rdma).toMatchObject({ mode: 'prefer', transport: 'auto', timeoutMs: 2000 });
    expect(Object.isFrozen(config.limits) && Object.isFrozen(config.volumeServers[0])).toBe(true);
  });

  test('everything that is wrong is reported at once, with key, line and nearest key', () => {
    const toml = `[http]
lane = "yes"
timeout = "2s"

[cahce]
size = "1"
[cache]
siez = "1GiB"
lease = "1.5s"
[limits]
connections = 0
head_bytes = 65536.5`;
    expect(problemsOf(() => proxy(toml))).toEqual([
      'http.lane@2: expected true or false, not "yes": write true',
      'http.timeout@3: unknown key; the nearest valid one is "rdma.timeout"',
      'cahce@5: unknown key; the nearest valid one is "cache"',
      'cache.siez@8: unknown key; the nearest valid one is "size"',
      'cache.lease@9: expected a time with its unit, such as "250us" (us, ms, s, m, h), not "1.5s": whole numbers only, with a smaller unit',
      'limits.connections@11: must be 1 to 10000000, not 0',
      'limits.head_bytes@12: expected a size such as "64MiB" (B, KB, KiB, MB, MiB, GB, GiB, TB, TiB; a plain number is bytes), not 65536.5',
    ]);
  });

  test('what is not TOML is reported with its line', () => {
    expect(problemsOf(() => proxy('[http]\nlane = \n'))[0]).toMatch(/^@2: not TOML/);
    expect(problemsOf(() => loadProxyConfig(join(scratch.folder, 'none'), {}))[0]).toMatch(
      /cannot be read/,
    );
  });

  test('a section that is not a table is reported', () => {
    expect(problemsOf(() => proxy('http = 1'))).toEqual(['http@1: expected a table [http]']);
  });

  test('port stands for every address, and not beside listen', () => {
    expect(proxy('[http]\nport = 0').http.listen).toEqual({ host: '0.0.0.0', port: 0 });
    expect(proxy('[http]\nlisten = "unix:/run/a"').http.listen).toEqual({ path: '/run/a' });
    expect(problemKeys(() => proxy('[http]\nport = 1\nlisten = "127.0.0.1:1"'))).toEqual([
      'http.port',
    ]);
  });

  test('several volume servers each name their target', () => {
    const config = proxy(`[[seaweedfs.volume_server]]
url = "http://a:8080"
target = "a:18515"
[[seaweedfs.volume_server]]
url = "http://b:8080"
target = ""`);
    expect(config.volumeServers).toEqual([
      { url: 'http://a:8080', target: 'a:18515' },
      { url: 'http://b:8080', target: undefined },
    ]);
  });

  test.each([
    [
      'a server without target',
      '[[seaweedfs.volume_server]]\nurl = "http://a"',
      'seaweedfs.volume_server.0.target',
    ],
    [
      'a server without url',
      '[[seaweedfs.volume_server]]\ntarget = ""',
      'seaweedfs.volume_server.0.url',
    ],
    [
      'both forms',
      '[seaweedfs]\nvolume_server_url = "http://a"\n[[seaweedfs.volume_server]]\nurl = "http://a"\ntarget = ""',
      'seaweedfs.volume_server_url',
    ],
    [
      'a server twice',
      '[[seaweedfs.volume_server]]\nurl = "http://a"\ntarget = ""\n[[seaweedfs.volume_server]]\nurl = "http://a"\ntarget = ""',
      'seaweedfs.volume_server.1.url',
    ],
    ['no server', '[seaweedfs]\nvolume_server_url = ""', 'seaweedfs.volume_server_url'],
    ['masters', '[seaweedfs]\nmasters = ["http://127.0.0.1:9333"]', 'seaweedfs.masters'],
    ['inproc without directories', '[rdma]\ntransport = "inproc"', 'rdma.dirs'],
    ['directories over ucx', '[rdma]\ndirs = ["/data"]', 'rdma.dirs'],
    ['hedging where HTTP is forbidden', '[rdma]\nmode = "require"\nhedge = "p99"', 'rdma.hedge'],
    [
      'hedging bounds in the wrong order',
      '[rdma]\nhedge = "p99"\nhedge_after_min = "60ms"',
      'rdma.hedge_after_min',
    ],
    ['a simulated latency over ucx', '[rdma]\nsimulated_latency = "1us"', 'rdma.simulated_latency'],
    [
      "the admin listener's address for the sidecar",
      '[sidecar]\nlisten = "0.0.0.0:8081"',
      'sidecar.listen',
    ],
    ['no port for the sidecar', '[sidecar]\nlisten = "127.0.0.1"', 'sidecar.listen'],
    ['a temp folder that is relative', '[sidecar]\ntemp_dir = "shm"', 'sidecar.temp_dir'],
    [
      'an alias that is no URL',
      '[sidecar]\nvolume_server_aliases = ["volume-1:8080"]',
      'sidecar.volume_server_aliases',
    ],
    ['reads above all', '[sidecar]\nread_bytes_max = "512MiB"', 'sidecar.read_bytes_max'],
    [
      'signed reads without a key',
      '[sidecar]\nlisten = "127.0.0.1:1"\nsign_reads = true',
      'sidecar.sign_reads',
    ],
    ['one address for two listeners', '[http]\nlisten = "127.0.0.1:8081"', 'http.listen'],
    ['a cache larger than all memory', '[cache]\nsize = "900TiB"', 'cache.size'],
    ['needles larger than the arena', '[limits]\nneedle_bytes = "1GiB"', 'limits.needle_bytes'],
    ['one connection above all', '[limits]\nconnection_bytes = "1GiB"', 'limits.connection_bytes'],
    [
      'a secret that is not there',
      '[rdma]\nsecret_file = "/nonexistent/secret"',
      'rdma.secret_file',
    ],
    [
      'a collection with an unknown key',
      '[cache.collection.a]\nsize = "1B"',
      'cache.collection.a.size',
    ],
    ['__proto__', '[http]\n__proto__ = 1', ''],
  ])('refuses %s', (_name, toml, key) => {
    expect(problemKeys(() => proxy(toml))).toEqual([key]);
  });

  test.each(['4194304', '"4194304"', '"4194304B"', '"4096KiB"', '"4MiB"'])(
    'a size of %s is four mebibytes',
    (written) => {
      expect(proxy(`[memory]\nsize = ${written}`).memory.bytes).toBe(2 ** 22);
      expect(
        target(`[target]\nunconfirmed = true\n[rdma]\nbuffer_size = ${written}`).rdma.bufferBytes,
      ).toBe(2 ** 22);
    },
  );

  test('a size in an environment variable needs no unit either', () => {
    expect(proxy('', { SEAWEED_RDMA__MEMORY__SIZE: '4194304' }).memory.bytes).toBe(2 ** 22);
  });

  test('defaults bow to a smaller arena', () => {
    const config = proxy('[memory]\nsize = "32MiB"');
    expect(config.limits.needleBytesMax).toBe(2 ** 25);
  });

  test('the cache has a quarter of the memory that there is, at most 4 GiB', () => {
    const mebibyte = 2 ** 20;
    const has = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
    const quarter = Math.min(4 * 2 ** 30, Math.floor(has / 4 / mebibyte) * mebibyte);
    expect(proxy('').cache.bytesMax).toBe(quarter);
    expect(proxy('[cache]\nsize = "auto"').cache.bytesMax).toBe(quarter);
    expect(proxy('[cache]\nsize = "600MiB"').cache.bytesMax).toBe(600 * mebibyte);
  });

  test('secrets are read from their files', () => {
    const secret = scratch.write('secret', 'a b\n');
    const security = scratch.write(
      'security.toml',
      '[jwt.signing.read]\nkey = "k"\nexpires_after_seconds = 60\n',
    );
    const config = proxy(
      `[rdma]\nsecret_file = "${secret}"\n[seaweedfs]\nsecurity_toml = "${security}"`,
    );
    expect([config.secrets, config.readKey, config.adminToken]).toEqual([['a b'], 'k', undefined]);
    const empty = scratch.write('empty', '\n');
    expect(problemKeys(() => proxy(`[admin]\ntoken_file = "${empty}"`))).toEqual([
      'admin.token_file',
    ]);
  });

  test('a secret that everybody can open is worth a warning', () => {
    const open = scratch.write('open', 'x', 0o644);
    expect(proxy(`[rdma]\nsecret_file = "${open}"`).warnings).toHaveLength(1);
  });

  test('an admin listener that others reach without a token is worth a warning', () => {
    const token = scratch.write('token', 'secret');
    const warningsOf = (listen: string, more = ''): number =>
      proxy(`[admin]\nlisten = "${listen}"\n${more}`).warnings.length;
    expect(warningsOf('0.0.0.0:8081')).toBe(1);
    expect(warningsOf('0.0.0.0:8081', `token_file = "${token}"`)).toBe(0);
    expect(warningsOf('127.0.0.1:8081')).toBe(0);
    expect(warningsOf('unix:/run/admin.sock')).toBe(0);
  });

  test('a security.toml without a read key configures none, one with a wrong key is an error', () => {
    const none = scratch.write('none.toml', '[jwt.signing]\nkey = "write"\n');
    expect(proxy(`[seaweedfs]\nsecurity_toml = "${none}"`).readKey).toBeUndefined();
    const wrong = scratch.write('wrong.toml', '[jwt.signing.read]\nkey = 5\n');
    const load = (): unknown => proxy(`[seaweedfs]\nsecurity_toml = "${wrong}"`);
    expect(problemKeys(load)).toEqual(['seaweedfs.security_toml']);
  });
});

describe('environment overrides', () => {
  test('take the types of their keys and win over the file', () => {
    const config = proxy('[cache]\nsize = "1MiB"\n[http]\nlane = true', {
      SEAWEED_RDMA__CACHE__SIZE: '2MiB',
      SEAWEED_RDMA__HTTP__LANE: 'false',
      SEAWEED_RDMA__LIMITS__CONNECTIONS: '7',
      SEAWEED_RDMA__RDMA__TRANSPORT: 'inproc',
      SEAWEED_RDMA__RDMA__DIRS: '/a,/b',
      SEAWEED_RDMA_OTHER: 'not ours',
    });
    expect(config.cache.bytesMax).toBe(2 ** 21);
    expect(config.http.lane).toBe(false);
    expect(config.limits.connectionsMax).toBe(7);
    expect(config.rdma.dirs).toEqual(['/a', '/b']);
  });

  test('unknown and wrong ones are errors that name the variable', () => {
    const environment = { SEAWEED_RDMA__CACHE__SIEZ: '1', SEAWEED_RDMA__HTTP__LANE: 'yes' };
    const message = ((): string => {
      try {
        proxy('', environment);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(message).toContain(
      'SEAWEED_RDMA__CACHE__SIEZ: unknown variable; the nearest valid one is SEAWEED_RDMA__CACHE__SIZE',
    );
    expect(message).toContain('SEAWEED_RDMA__HTTP__LANE: http.lane: expected true or false');
  });
});

describe('target.toml', () => {
  const sound = '[target]\nvolume_server_url = "http://127.0.0.1:8080"\n';

  test('needs a volume server to ask, unless it says that it has none', () => {
    expect(target(sound).target).toMatchObject({ dirs: ['/data'], confirmEveryMs: 1000 });
    expect(target('[target]\nunconfirmed = true').target.unconfirmed).toBe(true);
    expect(problemKeys(() => target(''))).toEqual(['target.volume_server_url']);
    expect(problemKeys(() => target(`${sound}unconfirmed = true`))).toEqual(['target.unconfirmed']);
  });

  test('listens beyond loopback only with a secret, or when told that it is insecure', () => {
    const secret = scratch.write('target-secret', 'x');
    expect(problemKeys(() => target(`${sound}[rdma]\nlisten = "0.0.0.0"`))).toEqual([
      'rdma.listen',
    ]);
    expect(target(`${sound}[rdma]\nlisten = "0.0.0.0"\ninsecure = true`).rdma.listen).toBe(
      '0.0.0.0',
    );
    expect(target(`${sound}[rdma]\nlisten = "::"\nsecret_file = "${secret}"`).secrets).toEqual([
      'x',
    ]);
    expect(target(`${sound}[rdma]\nlisten = "localhost"`).rdma.listen).toBe('localhost');
  });

  test('index directories are none, one, or one for each', () => {
    const dirs = 'dirs = ["/a", "/b"]\n';
    expect(target(`${sound}${dirs}idx_dirs = ["/i"]`).target.idxDirs).toEqual(['/i']);
    expect(problemKeys(() => target(`${sound}${dirs}idx_dirs = ["/i", "/j", "/k"]`))).toEqual([
      'target.idx_dirs',
    ]);
  });
});

describe('the files that are shipped', () => {
  test.each(['proxy', 'target'] as const)(
    'config/%s.toml shows every key at its default',
    (role) => {
      const file = join(root, 'config', `${role}.toml`);
      const shipped = checkFile(file, role, {});
      const required = { SEAWEED_RDMA__TARGET__VOLUME_SERVER_URL: 'http://127.0.0.1:8080' };
      const bare = checkFile(
        scratch.write(`${role}-bare.toml`, ''),
        role,
        role === 'target' ? required : {},
      );
      const values = (checked: typeof shipped): unknown =>
        checked.keys.map(({ key, value }) => [key, value]);
      expect(shipped.role).toBe(role);
      expect(values(shipped)).toEqual(values(bare));
      const text = readFileSync(file, 'utf8');
      const absent = shipped.keys.filter(({ key }) => !text.includes(`${key.split('.')[1]} = `));
      expect(absent.map(({ key }) => key)).toEqual(
        role === 'proxy' ? ['seaweedfs.volume_server', 'cache.collection'] : [],
      );
    },
  );

  test('a file tells its role by its sections', () => {
    expect(checkFile(join(root, 'config', 'target.toml'), undefined, {}).role).toBe('target');
    expect(checkFile(join(root, 'config', 'proxy.toml'), undefined, {}).role).toBe('proxy');
  });
});
