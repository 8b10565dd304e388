/** Findings come from real files and sockets of this process; verdicts are tested with other machines' data. */
import { mkdirSync, symlinkSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { machine } from '../../../test/unit/doctor-machines.ts';
import { settingsWith } from '../../../test/unit/doctor-settings.ts';
import { nearestKey } from '../../config/nearest-key.ts';
import { verifyReadToken } from '../../needle/token/read-token.ts';
import { authorization } from './authorization.ts';
import type { Finding } from './check.ts';
import { judgeClock } from './clock.ts';
import { judgeNeedles } from './needle.ts';
import { firstDifference, type NeedleEvidence } from './needles.ts';
import { judgePorts } from './ports.ts';
import { gatherListeners, roleOfCommand, shownCommand } from './processes.ts';
import { judgeSecurity } from './security.ts';
import { type HttpSpeed, judgeSpeed } from './speed.ts';
import { type DirectoryFacts, judgeStorage } from './storage.ts';
import { judgeUcx, type UcxFacts } from './ucx.ts';
import { clockAhead, type VolumeServerFacts } from './volume-server.ts';

const server: VolumeServerFacts = {
  url: 'http://10.0.0.1:8080',
  failure: '',
  code: '',
  status: 200,
  server: 'SeaweedFS Volume 30GB 4.44',
  volumes: [1],
  dirs: [],
  answerMs: 1,
  clockAheadMs: 0,
  wantsTokens: false,
  foreign: undefined,
};

describe('listeners', () => {
  test('of this process are found in /proc, with their owner', async () => {
    const listening = createServer();
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const { port } = listening.address() as AddressInfo;
    const found = gatherListeners('/proc').find((one) => one.port === port);
    listening.close();
    expect(found).toMatchObject({
      host: '127.0.0.1',
      owner: { pid: process.pid, role: undefined },
    });
  });

  test('of another machine: addresses of both families, roles by their command', () => {
    const row = (address: string, inode: number): string =>
      `   0: ${address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 ${inode} 1`;
    const command = ['node', '/opt/seaweed-rdma/dist/main.js', 'target', '--config', 'x'];
    const proc = machine({
      'net/tcp': `head\n${row('0100007F:4853', 11)}\n${row('00000000:1F90', 12)}`,
      'net/tcp6': `head\n${row('00000000000000000000000000000000:1F91', 13)}`,
      '7/cmdline': command.join('\0'),
    });
    mkdirSync(join(proc, '7', 'fd'));
    symlinkSync('socket:[11]', join(proc, '7', 'fd', '3'));
    const found = gatherListeners(proc);
    expect(found.map(({ host, port }) => `${host} ${port}`)).toEqual([
      '127.0.0.1 18515',
      '0.0.0.0 8080',
      ':: 8081',
    ]);
    expect(found.map(({ owner }) => owner?.role)).toEqual(['target', undefined, undefined]);
    const address = { host: '127.0.0.1', port: 18515 };
    const listeners = [{ key: 'rdma.port', address }];
    const own = judgePorts(settingsWith({ role: 'target', listeners }), found);
    expect(own[0]).toMatchObject({ result: 'ok', summary: expect.stringContaining('the running') });
    const other = judgePorts(settingsWith({ role: 'proxy', listeners }), found);
    expect(other[0]).toMatchObject({
      result: 'fail',
      fix: [expect.stringContaining('stop pid 7')],
    });
    const unseen = { key: 'http.listen', address: { host: '10.0.0.9', port: 8080 } };
    const hidden = judgePorts(settingsWith({ listeners: [unseen] }), found);
    expect(hidden[0]).toMatchObject({
      result: 'skip',
      evidence: ['listening: 0.0.0.0:8080', expect.anything()],
    });
  });

  test('are shown without the arguments of their commands', () => {
    expect(shownCommand(['mysqld', '--password=x'])).toBe('mysqld');
    expect(shownCommand(['node', 'server.js', '--token', 'x'])).toBe('node server.js');
    expect(roleOfCommand(['node', 'dist/main.js', 'doctor'])).toBeUndefined();
  });
});

describe('UCX', () => {
  const facts: UcxFacts = {
    version: '1.16.0',
    variables: {},
    variablesOf: 'this process',
    tls: { value: 'auto', from: '' },
    deviceName: { value: 'auto', from: '' },
    transports: ['rc_mlx5', 'tcp'],
    failure: '',
    addressFaults: [],
    isUsed: true,
  };
  const results = (changes: Partial<UcxFacts>): readonly string[] =>
    judgeUcx({ ...facts, ...changes }, nearestKey).map(({ result }) => result);

  test('is sound without variables, too old below 1.13, absent without UCX', () => {
    expect(results({})).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(results({ version: '1.12.1' })).toEqual(['warn', 'ok', 'ok', 'ok']);
    expect(results({ version: '' })).toEqual(['skip', 'ok', 'skip', 'skip']);
  });

  test('that does not start is never told to set what is set already', () => {
    const failure = 'ucp_worker_create: No resources are available to initiate the operation';
    const fixOf = (changes: Partial<UcxFacts>): readonly string[] | undefined =>
      judgeUcx({ ...facts, failure, ...changes }, nearestKey)[2]?.fix;
    expect(fixOf({})?.[0]).toContain('--only memory,limits');
    expect(fixOf({ tls: { value: 'rc', from: 'rdma.tls' } })?.[0]).toContain('rdma.tls = "auto"');
    expect(fixOf({ deviceName: { value: 'eth9', from: 'rdma.device_name' } })?.[0]).toBe(
      'set rdma.device_name = "auto"',
    );
  });

  test('says which address its peers do not reach', () => {
    const addressFaults = ['10.0.0.2 is not the first address of eth0 (10.0.0.1)'];
    expect(results({ addressFaults })).toEqual(['ok', 'ok', 'ok', 'fail']);
    expect(judgeUcx({ ...facts, addressFaults }, nearestKey)[3]?.fix).toEqual(addressFaults);
  });

  test('ignores a name that it does not know: the nearest is named', () => {
    const tls = { value: 'rc_mlx55,tcp', from: 'rdma.tls' };
    const found = judgeUcx({ ...facts, tls }, nearestKey)[2];
    expect(found).toMatchObject({ result: 'warn' });
    expect(found?.fix[0]).toContain('the nearest is "rc_mlx5"');
  });

  test('reads exclusions, literal names and roles as names', () => {
    for (const value of ['^tcp', '\\rc_mlx5,ud:aux', 'all']) {
      expect(results({ tls: { value, from: 'UCX_TLS' } })).toEqual(['ok', 'ok', 'ok', 'ok']);
    }
  });

  test('is warned of variables that crash or are overridden', () => {
    const variables = { UCX_MEM_EVENTS: 'yes', UCX_TLS: 'tcp' };
    const tls = { value: 'all', from: 'rdma.tls' };
    const found = judgeUcx({ ...facts, variables, tls }, nearestKey)[1];
    expect(found?.fix).toEqual([
      'unset UCX_TLS: rdma.tls = "all" wins over it',
      'unset UCX_MEM_EVENTS: this program runs with UCX_MEM_EVENTS=no',
    ]);
  });
});

describe('the clock', () => {
  const results = (isSynchronized: boolean | undefined, clockAheadMs: number): readonly string[] =>
    judgeClock({ isSynchronized, source: '' }, [{ ...server, clockAheadMs }]).map((f) => f.result);

  test('may be 2 s apart, warns over that, fails from 10 s', () => {
    expect(results(true, -2000)).toEqual(['ok', 'ok']);
    expect(results(false, 2001)).toEqual(['warn', 'warn']);
    expect(results(undefined, -10_000)).toEqual(['skip', 'fail']);
  });

  test('is compared at the middle of the question', () => {
    const askedAtMs = Date.parse('2026-01-01T00:00:00Z');
    expect(clockAhead('Thu, 01 Jan 2026 00:00:05 GMT', askedAtMs, 1000)).toBe(5000);
    expect(clockAhead(undefined, askedAtMs, 1000)).toBeUndefined();
  });
});

describe('storage', () => {
  const facts: DirectoryFacts = {
    dir: '/data',
    idxDir: '/data',
    failure: '',
    code: '',
    volumes: [{ volumeId: 1, base: '1' }],
    unreadable: [],
    withoutIndex: [],
    fileSystem: 0xef53,
  };
  const storage = {
    key: 'target.dirs',
    dirs: ['/data'],
    idxDirs: [],
    idxKey: 'target.idx_dirs',
    unconfirmed: false,
  };
  const results = (changes: Partial<DirectoryFacts>, listed = [1]): readonly string[] =>
    judgeStorage(settingsWith({ storage }), [{ ...facts, ...changes }], {
      ...server,
      volumes: listed,
    }).map(({ result }) => result);

  test('on NFS or FUSE fails, without an index, unreadable and unlisted likewise', () => {
    expect(results({})).toEqual(['ok', 'ok', 'ok', 'ok']);
    expect(results({ fileSystem: 0x6969 })).toEqual(['ok', 'fail', 'ok', 'ok']);
    expect(results({ fileSystem: 0x65735546 })).toEqual(['ok', 'fail', 'ok', 'ok']);
    expect(results({ withoutIndex: ['1'] })).toEqual(['ok', 'ok', 'fail', 'ok']);
    expect(results({ unreadable: ['/data/1.dat'] })).toEqual(['fail', 'ok', 'ok', 'ok']);
    expect(results({}, [1, 2])).toEqual(['ok', 'ok', 'ok', 'fail']);
    expect(results({}, [])).toEqual(['ok', 'ok', 'ok', 'warn']);
  });
});

describe('security', () => {
  test('beyond loopback without token or secret is a warning, with them none', () => {
    const open = { adminHost: '0.0.0.0' };
    const results = (changes: object): readonly string[] =>
      judgeSecurity(settingsWith({ ...open, ...changes }), [], []).map(({ result }) => result);
    expect(results({})).toEqual(['skip', 'skip', 'warn', 'warn', 'ok']);
    expect(results({ hasAdminToken: true, secret: 'x' })).toEqual([
      'skip',
      'skip',
      'ok',
      'ok',
      'ok',
    ]);
  });

  test('clients from elsewhere come with the address of the proxy, and it is said', () => {
    const found = (host: string): string => {
      const listeners = [{ key: 'http.listen', address: { host, port: 8080 } }];
      const findings = judgeSecurity(settingsWith({ listeners }), [], []);
      return JSON.stringify(findings.find(({ name }) => name === 'http-exposure'));
    };
    expect(found('0.0.0.0')).toContain('-whiteList');
    expect(found('127.0.0.1')).not.toContain('-whiteList');
  });

  test('TCP of UCX beyond loopback is a failure until the network is said to be trusted', () => {
    const result = (changes: object): string | undefined =>
      judgeSecurity(settingsWith(changes), [], ['eth0']).at(-1)?.result;
    expect(result({})).toBe('fail');
    expect(result({ isNetworkTrusted: true })).toBe('warn');
    expect(result({ mode: 'off' })).toBe('ok');
  });

  test('signs a read token that the proxy verifies', () => {
    const now = 1_800_000_000_000;
    const { authorization: header = '' } = authorization('key', '3,01637037d6', now);
    const token = header.replace('Bearer ', '');
    expect(verifyReadToken(token, 'key', '3,01637037d6', now / 1000)).toBe(true);
    expect(verifyReadToken(token, 'key', '3,01637037d6', now / 1000 + 11)).toBe(false);
    expect(verifyReadToken(token, 'other', '3,01637037d6', now / 1000)).toBe(false);
  });
});

describe('a needle', () => {
  const facts: NeedleEvidence = {
    fid: '3,01637037d6',
    target: 'a:1',
    url: 'http://b',
    rdma: 'ok',
    rdmaBytes: 10,
    isCompressed: false,
    isManifest: false,
    http: 200,
    httpFailure: '',
    httpBytes: 10,
    firstDifferenceAt: -1,
  };
  const judged = (changes: Partial<NeedleEvidence>): string | undefined => {
    const [found] = judgeNeedles([{ ...facts, ...changes }], '');
    return found?.result;
  };

  test('that differs, is damaged, or is there one way only fails', () => {
    expect(judged({})).toBe('ok');
    expect(judged({ firstDifferenceAt: 0 })).toBe('fail');
    expect(judged({ rdma: 'corrupt', http: 500 })).toBe('fail');
    expect(judged({ rdma: 'unknown_volume' })).toBe('fail');
    expect(judged({ http: 404 })).toBe('fail');
    expect(judged({ http: 401 })).toBe('fail');
  });

  test('that no server has, that is a manifest or cannot be asked for is no failure', () => {
    expect(judged({ rdma: 'not_found', http: 404 })).toBe('warn');
    expect(judged({ isManifest: true, firstDifferenceAt: 0 })).toBe('skip');
    expect(judged({ http: 0, httpFailure: 'ECONNREFUSED' })).toBe('skip');
  });

  test('is compared to the first byte that differs, a missing one included', () => {
    expect(firstDifference(Buffer.from('abc'), Buffer.from('abc'))).toBe(-1);
    expect(firstDifference(Buffer.from('abc'), Buffer.from('axc'))).toBe(1);
    expect(firstDifference(Buffer.from('abc'), Buffer.from('ab'))).toBe(2);
  });
});

test('bandwidth is judged by the link alone between hosts, with needles that fill it', () => {
  const latencyUs = { count: 1, min: 9, mean: 9, p50: 9, p90: 9, p99: 9, max: 9 };
  const speed = {
    target: 'a:1',
    transport: 'rc_mlx5',
    fid: '3,01637037d6',
    needleBytes: 2 ** 20,
    latencyUs,
    bytesPerSecond: 1e9,
    reads: 10,
    isThisHost: false,
    http: [] as HttpSpeed[],
  };
  const link = { name: 'mlx5_0:1', bitsPerSecond: 100e9 };
  const judged = (changes: Partial<typeof speed>, rate: typeof link | undefined): string =>
    judgeSpeed([{ ...speed, ...changes }], rate, '').find(({ name }) => name === 'bandwidth')
      ?.result ?? '';
  expect(judged({}, link)).toBe('warn');
  expect(judged({ bytesPerSecond: 9e9 }, link)).toBe('ok');
  expect(judged({ needleBytes: 4096 }, link)).toBe('ok');
  expect(judged({ isThisHost: true }, link)).toBe('ok');
  expect(judged({}, undefined)).toBe('ok');
});

test('latency is compared with the same needle over HTTP, and a slower target is a warning', () => {
  const spread = (p50: number): HttpSpeed['latencyUs'] => ({
    count: 100,
    min: p50,
    mean: p50,
    p50,
    p90: p50,
    p99: p50,
    max: p50,
  });
  const http = (name: string, p50: number, failure = ''): HttpSpeed => ({
    name,
    url: 'http://a',
    failure,
    latencyUs: spread(p50),
    bytesPerSecond: 1e6,
  });
  const judged = (p50: number, others: readonly HttpSpeed[]): Finding => {
    const speed = {
      target: 't',
      transport: 'tcp',
      fid: '1,2',
      needleBytes: 4096,
      latencyUs: spread(p50),
      bytesPerSecond: 1e6,
      reads: 10,
      isThisHost: true,
      http: others,
    };
    return judgeSpeed([speed], undefined, '')[0] as Finding;
  };
  const both = [http('the volume server', 200), http('the proxy', 60)];
  expect(judged(40, both)).toMatchObject({
    result: 'ok',
    summary: 't: 40.0 µs; the volume server 200 µs; the proxy 60 µs',
  });
  expect(judged(290, both).result).toBe('ok');
  expect(judged(310, both)).toMatchObject({
    result: 'warn',
    summary: expect.stringContaining('the fast path is slower than HTTP'),
  });
  expect(judged(310, [http('the volume server', 0, '401')])).toMatchObject({
    result: 'ok',
    summary: 't: 310.0 µs',
  });
});
