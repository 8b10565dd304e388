import { describe, expect, test } from 'vitest';
import { settingsWith } from '../../../test/unit/doctor-settings.ts';
import { sharedIpcText, translationText } from '../../rdma/control/obstacles.ts';
import type { TargetVolume } from '../../rdma/needle-fetcher.ts';
import type { CheckName, Finding } from './check.ts';
import type { RdmaDevice } from './devices.ts';
import type { SessionFacts, TargetFacts } from './sessions.ts';
import { judgeTargets, type TargetContext } from './target.ts';
import type { VolumeServerFacts } from './volume-server.ts';
import { judgeVolumes } from './volumes.ts';

const ids = { ipc: 'i', net: 'n', pid: 'p' };
const url = 'http://10.0.0.1:8080';
const settings = settingsWith({});
const quiet: TargetContext = { listeners: [], devices: [], tls: 'auto', deviceName: 'auto' };

function up(transport: string, changes: Partial<SessionFacts> = {}): SessionFacts {
  return {
    state: { kind: 'up', transport, sessionId: 1n },
    waitedMs: 3,
    volumes: [],
    roundTripsUs: [9, 10, 11],
    pingsLost: 0,
    ...changes,
  };
}

function down(
  status: 'unauthorized' | 'unsupported_version' | 'not_connected' | 'deadline',
  detail = '',
): SessionFacts {
  const state = { kind: 'down', status, detail } as const;
  return { state, waitedMs: 3, volumes: [], roundTripsUs: [], pingsLost: 0 };
}

function facts(changes: Partial<TargetFacts>): TargetFacts {
  return {
    host: '10.0.0.1',
    port: 18515,
    volumeServerUrl: url,
    name: '10.0.0.1:18515',
    addresses: ['10.0.0.1'],
    lookupFailure: '',
    tcpFailure: '',
    tcpMs: 1,
    session: up('rc_mlx5'),
    httpServer: '',
    ...changes,
  };
}

const rail = {
  name: 'mlx5_0:1',
  state: 'admitted',
  isFallback: false,
  isNear: true,
  isLead: true,
  transport: 'rc_mlx5',
  outstandingBytes: 0,
  bytesFetched: 0,
  reads: 0,
  sentAgain: 0,
  doubled: 0,
  ejections: 0,
  readmissions: 0,
  established: 1,
  lost: 0,
  reason: '',
} as const;

test('a rail without a session is a warning, with its reason', () => {
  const lost = { ...rail, name: 'mlx5_1:1', state: 'down', reason: 'not_connected, cut' } as const;
  const rails = [rail, lost];
  const found = judge({ session: up('rc_mlx5', { rails }) }).find(({ name }) => name === 'rails');
  expect(found).toMatchObject({
    result: 'warn',
    summary: '10.0.0.1:18515: 1 of 2 rails are up',
    evidence: ['mlx5_0:1: up over rc_mlx5', 'mlx5_1:1: not_connected, cut'],
  });
  const well = judge({ session: up('rc_mlx5', { rails: [rail] }) });
  expect(well.find(({ name }) => name === 'rails')?.result).toBe('ok');
  expect(judge({}).find(({ name }) => name === 'rails')?.result).toBe('skip');
});

function judge(
  changes: Partial<TargetFacts>,
  context = quiet,
  given = settings,
): readonly Finding[] {
  const looks = [{ facts: facts(changes), fetcher: undefined }];
  return judgeTargets(given, { failure: '', looks }, context);
}

function one(findings: readonly Finding[], name: CheckName): Finding {
  return findings.find((finding) => finding.name === name) as Finding;
}

const device: RdmaDevice = {
  name: 'mlx5_0',
  firmware: '20',
  numaNode: 0,
  openFailure: '',
  ports: [
    {
      name: 'mlx5_0:1',
      state: '4: ACTIVE',
      physicalState: '5: LinkUp',
      linkLayer: 'InfiniBand',
      rate: '100 Gb/sec (4X EDR)',
      gids: [],
      mtuBytes: undefined,
    },
  ],
};

describe('the way to a target', () => {
  test('is sound over RDMA', () => {
    const results = judge({}).map(({ result }) => result);
    expect(results).toEqual(['ok', 'ok', 'ok', 'skip', 'ok', 'ok']);
    expect(one(judge({}), 'transport').summary).toContain('RDMA (rc_mlx5)');
  });

  test('over TCP fails where an RDMA device is active, and is fine without one', () => {
    const withDevice = { ...quiet, devices: [device] };
    const found = one(judge({ session: up('tcp') }, withDevice), 'transport');
    expect(found.result).toBe('fail');
    expect(found.fix[0]).toContain('rdma.device_name = "mlx5_0:1"');
    expect(one(judge({ session: up('tcp') }), 'transport').result).toBe('ok');
    expect(one(judge({ session: up('posix') }, withDevice), 'transport').result).toBe('ok');
  });

  test('tells a wrong secret, another version, and no common transport apart', () => {
    const summaries = [
      down('unauthorized'),
      down('unsupported_version'),
      down('not_connected', 'Destination is unreachable'),
      down('not_connected', 'Operation rejected by remote peer (…)'),
      down('deadline', `…; ${sharedIpcText({ ...ids, net: 'a' }, { ...ids, net: 'b' })}`),
      down('deadline', `…; ${translationText('10.0.0.9', ['10.1.0.3'])}`),
      down(
        'not_connected',
        'it closed the connection: another program, or a target of an older version, listens there',
      ),
    ].map((session) => one(judge({ session }), 'target-session').summary);
    expect(summaries.map((summary) => summary.replace(/^[^ ]+ /, ''))).toEqual([
      'wrong secret',
      'it speaks another protocol version',
      'the target accepts, and UCX finds no way to it',
      'the target accepts, and cannot dial this host back',
      'the target accepts, and UCX takes shared memory that it cannot use',
      'the target accepts, and a source NAT or a relay stands between',
      'something else listens there',
    ]);
  });

  test('tells a stopped target, a silent place and another server apart', () => {
    const late = down('not_connected', 'no answer within 1000 ms');
    const listener = (role: string | undefined, state: string): TargetContext => ({
      ...quiet,
      listeners: [
        { host: '0.0.0.0', port: 18515, owner: { pid: 7, command: ['node', 'x'], role, state } },
      ],
    });
    const here = { host: '127.0.0.1', name: '127.0.0.1:18515', session: late };
    const said = [
      judge(here, listener('target', 'T')),
      judge(here, listener('target', 'S')),
      judge({ session: late }),
      judge({ session: { ...late, state: { kind: 'silent' } } }),
      judge(here, listener(undefined, 'S')),
      judge({ session: down('not_connected', 'reset'), httpServer: 'SeaweedFS Volume 4.44' }),
      judge(
        { ...here, session: down('not_connected'), httpServer: 'HTTP' },
        listener('target', 'S'),
      ),
    ].map((findings) => one(findings, 'target-session').summary.replace(/^[^ ]+ /, ''));
    const noAnswer = 'something accepts connections there and does not answer';
    expect(said).toEqual([
      'the target there is stopped (pid 7): connections are accepted and nothing is answered',
      noAnswer,
      noAnswer,
      noAnswer,
      'something else listens there',
      'something else listens there (it answers HTTP, Server: SeaweedFS Volume 4.44)',
      'something else listens there (it answers HTTP)',
    ]);
    const [fix] = one(judge(here, listener('target', 'T')), 'target-session').fix;
    expect(fix).toContain('kill -CONT 7');
  });

  test('tells a closed port, a silent one and an unknown name apart', () => {
    const session = down('not_connected');
    const refused = judge({ tcpFailure: 'ECONNREFUSED', session });
    expect(one(refused, 'target-port').summary).toContain('nothing listens there');
    expect(one(refused, 'target-session').result).toBe('skip');
    const silent = judge({ tcpFailure: 'ETIMEDOUT', session });
    expect(one(silent, 'target-port').summary).toContain('times out');
    const unknown = judge({ lookupFailure: 'ENOTFOUND', session: undefined });
    expect(unknown.map(({ result }) => result)).toEqual(['fail', ...Array(5).fill('skip')]);
  });

  test('needs no TCP where UCX listens by other means', () => {
    expect(one(judge({ tcpFailure: 'ECONNREFUSED' }), 'target-port').result).toBe('ok');
  });

  test('with lost or slow round trips is named', () => {
    const lost = up('tcp', { pingsLost: 2 });
    expect(one(judge({ session: lost }), 'ping').result).toBe('fail');
    const slow = up('tcp', { roundTripsUs: [9000, 9100, 9200] });
    expect(one(judge({ session: slow }), 'ping').result).toBe('warn');
  });

  test('is not looked at with mode = "off", with inproc, and without a configuration', () => {
    const results = [
      judgeTargets(undefined, undefined, quiet),
      judgeTargets(settingsWith({ mode: 'off' }), undefined, quiet),
      judge({}, quiet, settingsWith({ transport: 'inproc' })),
    ].flatMap((findings) => findings.map(({ result }) => result));
    expect(new Set(results)).toEqual(new Set(['skip']));
  });
});

describe('announced volumes', () => {
  const server = (volumes: readonly number[] | undefined): VolumeServerFacts => ({
    url,
    failure: '',
    code: '',
    status: 200,
    server: 'SeaweedFS Volume 30GB 4.44',
    volumes,
    dirs: [],
    answerMs: 1,
    clockAheadMs: 0,
    wantsTokens: false,
    foreign: undefined,
  });
  const volume = (volumeId: number, confirmed = true): TargetVolume => ({
    volumeId,
    version: 3,
    confirmed,
    collection: '',
  });
  const judged = (
    volumes: readonly TargetVolume[],
    listed: readonly number[] | undefined,
  ): Finding =>
    judgeVolumes(settings, [
      { name: 'a:1', volumes, server: server(listed), missing: undefined },
    ])[0] as Finding;

  test('are those of the server', () => {
    expect(judged([volume(1), volume(2)], [1, 2]).result).toBe('ok');
  });

  test('that are missing fail, those that the server does not list are a warning', () => {
    expect(judged([volume(1)], [1, 2]).summary).toContain('does not announce: 2');
    expect(judged([volume(1), volume(7)], [1])).toMatchObject({ result: 'warn' });
  });

  test('of which none is confirmed fail: the target asks another server', () => {
    const found = judged([volume(1, false)], [1]);
    expect(found.result).toBe('fail');
    expect(found.fix[0]).toContain('target.volume_server_url');
  });

  test('cannot be judged without the list', () => {
    expect(judged([volume(1)], undefined).result).toBe('skip');
  });
});
