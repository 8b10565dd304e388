/** `config check` and `config print` as a user meets them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkFile, type Role } from '../../src/config/check-file.ts';
import { ConfigError } from '../../src/config/problem.ts';
import { loadProxyConfig } from '../../src/config/proxy-config.ts';
import { loadTargetConfig } from '../../src/config/target-config.ts';
import { writeToml } from '../../src/config/write-toml.ts';
import { type Ended, program, runProgram } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const root = join(import.meta.dirname, '..', '..');

/** Runs the program with this on its standard input. */
async function piped(args: readonly string[], input: string): Promise<Ended> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

/** What would run, without where it was written. */
function meaning(role: Role, text: string): unknown {
  const source = { name: 'printed', text };
  const config = role === 'proxy' ? loadProxyConfig(source, {}) : loadTargetConfig(source, {});
  const { keys: _keys, file: _file, ...rest } = config;
  return rest;
}

function printed(role: Role, text: string): string {
  return writeToml('test', checkFile({ name: 'given', text }, role, {}).keys);
}

describe('config print', () => {
  const secret = scratch.write('secret', 'the secret itself');

  test.each([
    ['proxy', ''],
    ['proxy', '[memory]\nsize = "32MiB"'],
    ['proxy', '[http]\nport = 8080'],
    ['proxy', '[http]\nlisten = "unix:/run/a \\"b\\".sock"'],
    ['proxy', '[rdma]\ntransport = "inproc"\ndirs = ["/a", "/b\\\\c"]\nsimulated_latency = "5us"'],
    ['proxy', 'cache = { size = "1MiB", consistency = "lease" }'],
    [
      'proxy',
      '[cache.collection.a]\nlease = "2s"\n[cache.collection."b.c d"]\nconsistency="lease"',
    ],
    [
      'proxy',
      '[[seaweedfs.volume_server]]\nurl = "http://a"\ntarget = "a:1"\n[[seaweedfs.volume_server]]\nurl = "http://b"\ntarget = ""',
    ],
    ['proxy', `[rdma]\nsecret_file = "${secret}"\n[admin]\ntoken_file = "${secret}"`],
    ['target', '[target]\nunconfirmed = true'],
    ['target', '[target]\nvolume_server_url = "http://a:1/"\ndirs = ["/x", "/y"]'],
  ] as const)('%s: what is printed for %j means the same', (role, toml) => {
    const text = printed(role, toml);
    expect(meaning(role, text)).toEqual(meaning(role, toml));
    expect(text).not.toContain('the secret itself');
    // Once more: what is printed is complete.
    expect(printed(role, text).replace(/ +#.*/g, '')).toBe(text.replace(/ +#.*/g, ''));
  });

  test('any sound file is printed as one that means the same', () => {
    const line = fc.oneof(
      keyOf('http', 'lane', fc.boolean()),
      keyOf('http', 'port', fc.integer({ min: 1, max: 65535 })),
      keyOf('http', 'on_corrupt', fc.constantFrom('pass', 'refuse')),
      keyOf('memory', 'size', fc.constantFrom('4MiB', '100MB', '2GiB')),
      keyOf('cache', 'size', fc.constantFrom('0B', '1MiB', '64MiB')),
      keyOf('cache', 'decoded_size', fc.constantFrom('0B', '1KB')),
      keyOf('rdma', 'device_name', fc.string()),
      keyOf('rdma', 'transport', fc.constantFrom('ucx', 'inproc')),
      keyOf('rdma', 'dirs', fc.array(fc.string({ minLength: 1 }), { maxLength: 2 })),
      keyOf('limits', 'needle_bytes', fc.constantFrom('1B', '4MiB', '64MiB')),
      keyOf('limits', 'connections', fc.integer({ min: 1, max: 10_000_000 })),
    );
    let sound = 0;
    fc.assert(
      fc.property(fc.uniqueArray(line, { selector: (row) => `${row[0]}${row[1]}` }), (rows) => {
        const sections = Map.groupBy(rows, ([section]) => section);
        const toml = [...sections]
          .map(([section, own]) => `[${section}]\n${own.map((row) => row[2]).join('\n')}`)
          .join('\n');
        let expected: unknown;
        try {
          expected = meaning('proxy', toml);
        } catch (error) {
          if (error instanceof ConfigError) return;
          throw error;
        }
        sound += 1;
        expect(meaning('proxy', printed('proxy', toml))).toEqual(expected);
      }),
      { numRuns: 300 },
    );
    expect(sound).toBeGreaterThan(50);
  });

  test('says where each value comes from, and goes through config check', async () => {
    const file = scratch.write('given.toml', '[memory]\nsize = "64MiB"\n');
    const environment = { SEAWEED_RDMA__HTTP__LANE: 'false' };
    const { status, stdout } = await runProgram(['config', 'print', '--config', file], environment);
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^size = "64MiB" +# ${file}:2$`, 'm'));
    expect(stdout).toMatch(/^lane = false +# SEAWEED_RDMA__HTTP__LANE$/m);
    expect(stdout).toMatch(
      /^size = "auto" +# default: \S+, a quarter of the memory that there is, at most 4GiB$/m,
    );
    expect(stdout).toMatch(/^on_corrupt = "pass" +# default$/m);
    const checked = await piped(['config', 'check', '-', '--json'], stdout);
    expect(checked.status).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, file: '(standard input)' });
  });

  test('as JSON, the defaults alone, and an error where nothing would run', async () => {
    const json = await runProgram(['config', 'print', '--default', '--role', 'target', '--json'], {
      SEAWEED_RDMA__RDMA__PORT: '1',
    });
    const { role, keys } = JSON.parse(json.stdout);
    expect([role, json.status]).toEqual(['target', 0]);
    expect(keys).toContainEqual({ key: 'rdma.port', value: 18515, from: 'default' });
    const none = await runProgram(['config', 'print', '--role', 'target']);
    expect(none.status).toBe(78);
    expect(none.stderr).toContain('target.volume_server_url: is required');
  });
});

/** One line of a file, in its section. */
function keyOf(
  section: string,
  key: string,
  value: fc.Arbitrary<unknown>,
): fc.Arbitrary<readonly [section: string, key: string, line: string]> {
  return value.map((written) => {
    const toml = JSON.stringify(written).replace(/\u007f/g, '\\u007f');
    return [section, key, `${key} = ${toml}`] as const;
  });
}

describe('config check', () => {
  test('shows the line of each problem with a mark under it', async () => {
    const { status, stderr } = await piped(
      ['config', 'check', '-'],
      '[cache]\nsiez = "1GiB"\nlease = "x"  # y\n',
    );
    expect(status).toBe(78);
    expect(stderr.split('\n')).toEqual([
      '(standard input):2: cache.siez: unknown key; the nearest valid one is "size"',
      ' 2 | siez = "1GiB"',
      '   | ^^^^',
      expect.stringMatching(/^\(standard input\):3: cache\.lease: expected a time/),
      ' 3 | lease = "x"  # y',
      '   |         ^^^',
      '',
    ]);
  });

  test('takes several files, of either role, and fails when one is wrong', async () => {
    const proxy = join(root, 'config', 'proxy.toml');
    const target = join(root, 'config', 'target.toml');
    const both = await runProgram(['config', 'check', proxy, target, '--json']);
    expect(both.status).toBe(0);
    expect(JSON.parse(both.stdout)).toMatchObject({
      ok: true,
      files: [{ role: 'proxy' }, { role: 'target' }],
    });
    const wrong = scratch.write('wrong.toml', 'x = 1');
    const three = await runProgram(['config', 'check', proxy, wrong, target]);
    expect(three.status).toBe(78);
    expect(three.stdout).toContain(`${target}: a sound configuration of the target`);
    expect(three.stderr).toContain(`${wrong}:1: x: unknown key`);
    expect((await runProgram(['config', 'check', '/nonexistent'])).status).toBe(78);
  });

  test('warns of secrets that everybody can open and of folders that are not there', async () => {
    const open = scratch.write('open-secret', 'x', 0o644);
    const file = scratch.write(
      'warned.toml',
      `[rdma]\nsecret_file = "${open}"\n[target]\ndirs = ["/nonexistent"]\nunconfirmed = true\n`,
    );
    const lenient = await runProgram(['config', 'check', file]);
    expect(lenient.status).toBe(0);
    expect(lenient.stdout).toContain(`warning: rdma.secret_file: every user of this machine`);
    expect(lenient.stdout).toContain('warning: target.dirs: "/nonexistent" is no directory');
    const strict = await runProgram(['config', 'check', '--strict', file]);
    expect(strict.status).toBe(78);
    expect(strict.stderr).toContain('(an error with --strict)');
    const json = await runProgram(['config', 'check', '--strict', '--json', file]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ok: false,
      warnings: [{}, {}].map(() => expect.any(String)),
    });
  });

  test('tells the line of tables and of keys in inline tables', () => {
    const keys = checkFile(
      {
        name: 'f',
        text: '[seaweedfs]\n[[seaweedfs.volume_server]]\nurl = "http://a"\ntarget = ""\n[cache.collection.a]\n[memory]\n',
      },
      'proxy',
      {},
    ).keys;
    const fromOf = (key: string): unknown => keys.find((row) => row.key === key)?.from;
    expect(fromOf('seaweedfs.volume_server')).toBe('f:2');
    expect(fromOf('cache.collection')).toBe('f:5');
    const inline = checkFile({ name: 'f', text: '\nmemory = { size = "4MiB" }' }, 'proxy', {}).keys;
    expect(inline.find(({ key }) => key === 'memory.size')).toEqual({
      key: 'memory.size',
      value: '4MiB',
      from: 'f:2',
    });
  });
});
