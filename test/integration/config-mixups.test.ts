/** A file that is sound key by key and still cannot work: addresses that meet, and the other role's file. */
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkFile, type Role } from '../../src/config/check-file.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { loadProxyConfig } from '../../src/config/proxy-config.ts';
import { loadTargetConfig } from '../../src/config/target-config.ts';
import { runProgram } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const root = join(import.meta.dirname, '..', '..');

function load(role: Role, toml: string): readonly string[] {
  const file = scratch.write(`${role}.toml`, toml);
  return (role === 'proxy' ? loadProxyConfig(file, {}) : loadTargetConfig(file, {})).warnings;
}

/** "key@line: message" of everything that is wrong. */
function problemsOf(role: Role, toml: string): string[] {
  try {
    load(role, toml);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ key, line, message }) => `${key}@${line ?? '-'}: ${message}`);
  }
  return [];
}

function proxyToml(listen: string, url: string, more = ''): string {
  return `[http]\nlisten = "${listen}"\n[seaweedfs]\nvolume_server_url = "${url}"\n${more}`;
}

describe('a listener where the role itself sends requests is refused', () => {
  test.each([
    ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['0.0.0.0:8080', 'http://127.0.0.1:8080'],
    ['0.0.0.0:8080', 'http://127.0.0.2:8080'],
    ['0.0.0.0:8080', 'http://localhost:8080'],
    ['0.0.0.0:80', 'http://127.0.0.1'],
    ['[::]:8080', 'http://127.0.0.1:8080'],
    ['[::]:8080', 'http://[::1]:8080'],
    ['127.0.0.1:8080', 'http://localhost:8080'],
    ['10.9.8.7:8080', 'http://10.9.8.7:8080'],
    ['node-1:8080', 'http://NODE-1:8080'],
  ])('http.listen = "%s" with the volume server at %s', (listen, url) => {
    const [problem = '', ...others] = problemsOf('proxy', proxyToml(listen, url));
    expect(others).toEqual([]);
    expect(problem).toMatch(/^http\.listen@2: /);
    expect(problem).toContain('seaweedfs.volume_server_url');
    expect(problem).toContain('the proxy would ask itself');
  });

  test.each([
    ['127.0.0.1:8080', 'http://127.0.0.2:8080'],
    ['127.0.0.1:8080', 'http://127.0.0.1:18080'],
    ['0.0.0.0:8080', 'http://[::1]:8080'],
    ['0.0.0.0:8080', 'http://192.0.2.1:8080'],
    ['0.0.0.0:0', 'http://127.0.0.1:8080'],
    ['unix:/run/a.sock', 'http://127.0.0.1:8080'],
  ])('http.listen = "%s" with the volume server at %s is sound', (listen, url) => {
    expect(problemsOf('proxy', proxyToml(listen, url))).toEqual([]);
  });

  test('the key that somebody wrote is the one with the line', () => {
    const toml = '[seaweedfs]\nvolume_server_url = "http://127.0.0.1:8080"\n';
    expect(problemsOf('proxy', toml)).toEqual([
      'seaweedfs.volume_server_url@2: http.listen = "0.0.0.0:8080" listens at 127.0.0.1:8080 too, which is seaweedfs.volume_server_url: the proxy would ask itself in the volume server\'s place. Set http.listen to another address or port, or seaweedfs.volume_server_url to where the volume server listens',
    ]);
    expect(problemsOf('proxy', `[http]\nport = 8080\n${toml}`)[0]).toMatch(/^http\.port@2: /);
  });

  test('an address of this machine is a warning: the file may be for another one', () => {
    const own = Object.values(networkInterfaces())
      .flat()
      .find((row) => row?.family === 'IPv4' && !row.internal)?.address;
    if (own === undefined) return;
    const toml = proxyToml('0.0.0.0:8080', `http://${own}:8080`);
    expect(load('proxy', toml)).toEqual([expect.stringContaining('would ask itself')]);
  });

  const sound = proxyToml('127.0.0.1:8080', 'http://127.0.0.1:18080');
  const tables = '[[seaweedfs.volume_server]]\nurl = "http://127.0.0.1:8080"\ntarget = ""\n';

  test.each([
    ['the admin listener', `${sound}[admin]\nlisten = "127.0.0.1:18080"`, 'admin.listen@6'],
    ['the sidecar', `${sound}[sidecar]\nlisten = "0.0.0.0:18080"`, 'sidecar.listen@6'],
    ['one of several servers', `[http]\nlisten = "0.0.0.0:8080"\n${tables}`, 'http.listen@2'],
    ['the target', `${sound}[rdma]\ntarget = "127.0.0.1:8081"`, 'rdma.target@6'],
  ])('%s', (_name, toml, place) => {
    const [problem = ''] = problemsOf('proxy', toml);
    expect(problem.startsWith(`${place}: `), problem).toBe(true);
    expect(problem).toContain('would ask itself');
  });

  test('a target is refused the address of its volume server', () => {
    const toml =
      '[target]\nvolume_server_url = "http://127.0.0.1:18515"\n[rdma]\nport = 18515\n[admin]\nlisten = "127.0.0.1:18600"';
    expect(problemsOf('target', toml)).toEqual([
      expect.stringMatching(/^rdma\.port@4: .* both rdma\.port and target\.volume_server_url/),
    ]);
  });
});

test.each(['::ffff:127.0.0.1', '::ffff:7f00:1'])(
  'a target is refused %s, with the IPv4 address',
  (listen) => {
    const toml = `[rdma]\nlisten = "${listen}"\ninsecure = true\n[target]\ndirs = ["/"]\nunconfirmed = true`;
    expect(problemsOf('target', toml)).toEqual([
      expect.stringMatching(/^rdma\.listen@2: .*v4-mapped.*rdma\.listen = "127\.0\.0\.1"/),
    ]);
  },
);

describe('two listeners of one role are refused one address', () => {
  test.each([
    ['proxy', '[http]\nlisten = "127.0.0.1:8081"', 'http.listen@2', 'admin.listen'],
    ['proxy', '[http]\nlisten = "[::]:8081"', 'http.listen@2', 'admin.listen'],
    ['proxy', '[admin]\nlisten = "0.0.0.0:8080"', 'admin.listen@2', 'http.listen'],
    ['proxy', '[sidecar]\nlisten = "0.0.0.0:8081"', 'sidecar.listen@2', 'admin.listen'],
    [
      'proxy',
      '[http]\nlisten="unix:/a"\n[admin]\nlisten="unix:/a"',
      'admin.listen@4',
      'http.listen',
    ],
    ['target', '[target]\nunconfirmed = true\n[rdma]\nport = 18516', 'rdma.port@4', 'admin.listen'],
    [
      'target',
      '[target]\nunconfirmed = true\n[admin]\nlisten = "0.0.0.0:18515"',
      'admin.listen@4',
      'rdma.port',
    ],
  ] as const)('%s: %j', (role, toml, place, other) => {
    const [problem = ''] = problemsOf(role, toml);
    expect(problem).toContain(`${place}: is the address of ${other} too`);
  });
});

describe("a role that is given the other role's file says so once", () => {
  test.each([
    ['proxy', 'target', 'only a target has [target]'],
    ['target', 'proxy', 'only a proxy has [http]'],
  ] as const)('%s with %s.toml', async (role, other, why) => {
    const file = join(root, 'config', `${other}.toml`);
    const { status, stdout, stderr } = await runProgram([role, '--config', file]);
    expect([status, stdout]).toEqual([78, '']);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`this is a ${other}'s file (${why})`);
    expect(lines[0]).toContain(`start it with "seaweed-rdma ${other} --config ${file}"`);
    const checked = await runProgram(['config', 'check', '--role', role, file]);
    expect([checked.status, checked.stderr]).toEqual([
      78,
      expect.stringContaining(`this is a ${other}'s file`),
    ]);
  });

  test.each([
    ['[rdma]\nport = 1', 'target'],
    ['[rdma]\nbuffer_size = "4MiB"\nlisten = "127.0.0.1"', 'target'],
    ['[target]\nunconfirmed = true\n[cache]\n[rdma]\nport = 2', 'target'],
    ['[rdma]\nmode = "off"', 'proxy'],
    ['[logging]\nrequests = "all"', 'proxy'],
    ['[logging]\nlevel = "warn"', 'proxy'],
    ['', 'proxy'],
  ] as const)('%j is a %s’s file', (toml, role) => {
    const told = ((): string => {
      try {
        return checkFile(scratch.write('any.toml', toml), undefined, {}).role;
      } catch (error) {
        return (error as Error).message;
      }
    })();
    // A target's file that lacks its volume server, or that has a section of the proxy, is judged as a target's.
    expect(told).toMatch(
      role === 'target' ? /target\.volume_server_url|^.*: cache: unknown/ : /^proxy$/,
    );
  });

  test('a stray key of the other role is an unknown key', () => {
    expect(problemsOf('proxy', '[http]\nlane = true\n[rdma]\nport = 1')).toEqual([
      expect.stringMatching(/^rdma\.port@4: unknown key/),
    ]);
  });
});
