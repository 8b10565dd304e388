import { describe, expect, it } from 'vitest';
import { status } from '../../test/unit/proxy-status.ts';
import { proxyHealth, targetHealth } from './health.ts';
import { createProxyMetrics } from './metrics/proxy-metrics.ts';
import type { TargetRoleStatus } from './status.ts';

describe('the health of a proxy', () => {
  it('a volume server that does not answer is said with its error, and down where none answers', () => {
    const silent = (url: string, answers: boolean): (typeof status.targets)[number] => ({
      ...(status.targets[0] as (typeof status.targets)[number]),
      upstreamUrl: url,
      isUpstreamUp: answers,
      upstream: answers ? { kind: 'up' } : { kind: 'down', detail: 'connect ECONNREFUSED' },
    });
    const healthOf = (targets: typeof status.targets): ReturnType<typeof proxyHealth> =>
      proxyHealth({ ...status, targets }, createProxyMetrics('0').ledger.totals());
    const alone = healthOf([silent('http://a', false)]);
    expect(alone.status).toBe('down');
    expect(alone.checks['upstream http://a']).toMatchObject({
      status: 'down',
      detail: 'does not answer: connect ECONNREFUSED',
    });
    expect(healthOf([silent('http://a', false), silent('http://b', true)]).status).toBe('degraded');
    expect(healthOf([silent('http://a', false), silent('http://b', false)]).status).toBe('down');
  });

  it('a volume server that was not asked yet, or is none, only degrades', () => {
    for (const upstream of [
      { kind: 'unknown' },
      { kind: 'strange', detail: 'no Server header' },
    ] as const) {
      const targets = status.targets.map((each) => ({ ...each, isUpstreamUp: false, upstream }));
      const health = proxyHealth({ ...status, targets }, createProxyMetrics('0').ledger.totals());
      expect(health.status).toBe('degraded');
    }
  });
});

describe('the rails of a proxy', () => {
  const [target] = status.targets;
  const rails = target?.rails ?? [];
  const checkOf = (change: (rail: (typeof rails)[0], index: number) => object): unknown => {
    const changed = rails.map((rail, index) => ({ ...rail, ...change(rail, index) }));
    const targets = [{ ...target, rails: changed } as NonNullable<typeof target>];
    const health = proxyHealth({ ...status, targets }, createProxyMetrics('0').ledger.totals());
    return health.checks['rails 10.0.0.1:18515'];
  };

  it('are named where one carries nothing', () => {
    expect(checkOf(() => ({}))).toMatchObject({
      status: 'degraded',
      detail: 'mlx5_1:1 is ejected: deadline',
    });
  });

  it('are well where each carries traffic', () => {
    expect(checkOf(() => ({ state: 'admitted' }))).toMatchObject({ status: 'ok' });
  });

  it('are not well where the fallback alone carries it', () => {
    const change = (_: object, index: number): object =>
      index === 0
        ? { state: 'down', reason: 'cut' }
        : { name: 'tcp', isFallback: true, state: 'admitted' };
    expect(checkOf(change)).toMatchObject({
      status: 'degraded',
      detail: 'mlx5_0:1 is down: cut; no rail over UCX carries traffic',
    });
  });
});

describe('the listener of a proxy', () => {
  it.each([
    [19_999, 'ok', 'listening'],
    [20_000, 'degraded', 'all 20000 connections of limits.connections are open'],
  ])('with %d connections of 20,000 is %s', (connections, verdict, says) => {
    const health = proxyHealth({ ...status, connections }, createProxyMetrics('0').ledger.totals());
    expect(health.checks['listener']).toMatchObject({ status: verdict, connections });
    expect(health.checks['listener']?.detail).toContain(says);
  });
});

describe('the health of a target', () => {
  it.each([
    [800, 'ok'],
    [900, 'degraded'],
  ])('with %d of 1,000 descriptors open is %s', (descriptors, verdict) => {
    const connections = {
      waiting: 700,
      ended: 0,
      descriptors,
      descriptorsMax: 1_000,
      lostPorts: 0,
    };
    const ucxTcp = { devices: 'lo', exposed: [], guardFault: undefined };
    const status = { arena: {}, connections, ucxTcp } as unknown as TargetRoleStatus;
    const check = targetHealth(status).checks['connections'];
    expect(check).toMatchObject({ status: verdict, ...connections });
  });

  it('is degraded when UCX has closed a port for good', () => {
    const connections = {
      waiting: 0,
      ended: 9,
      descriptors: 30,
      descriptorsMax: 1_000,
      lostPorts: 1,
    };
    const ucxTcp = { devices: 'lo', exposed: [], guardFault: undefined };
    const status = { arena: {}, connections, ucxTcp } as unknown as TargetRoleStatus;
    expect(targetHealth(status).checks['connections']).toMatchObject({
      status: 'degraded',
      detail: expect.stringContaining('until the target is started anew'),
    });
  });

  it('says on which network devices UCX has TCP ports, as that of a proxy does', () => {
    const where = { devices: 'lo,eth0', exposed: ['eth0'] };
    const ucxTcp = { ...where, guardFault: undefined };
    const facts = { status: 'ok', ...where, isBeyondLoopback: true };
    const connections = { waiting: 0, ended: 0, descriptors: 1, descriptorsMax: 10, lostPorts: 0 };
    const target = { arena: {}, connections, ucxTcp } as unknown as TargetRoleStatus;
    expect(targetHealth(target).checks['ucx-tcp']).toMatchObject(facts);
    const proxy = { ...status, ucxTcp };
    const totals = createProxyMetrics('0').ledger.totals();
    expect(proxyHealth(proxy, totals).checks['ucx-tcp']).toMatchObject(facts);
    expect(proxyHealth({ ...status, ucxTcp: undefined }, totals).checks['ucx-tcp']).toBeUndefined();
    const unguarded = { ...proxy, ucxTcp: { ...ucxTcp, guardFault: 'no filter' } };
    expect(proxyHealth(unguarded, totals).checks['ucx-tcp']).toMatchObject({
      status: 'degraded',
      detail: expect.stringContaining('every host that reaches them (no filter)'),
    });
  });
});
