import { describe, expect, it } from 'vitest';
import type { HealthCheck } from './check.ts';
import { proxyHealth, targetHealth } from './health.ts';
import { createProxyMetrics } from './metrics/proxy-metrics.ts';
import type { CoverageStatus, ProxyStatus, TargetRoleStatus } from './status.ts';

/** All that the checks of volumes look at. */
function proxyVolumes(unannounced: ProxyStatus['unannounced']): HealthCheck | undefined {
  const up = { kind: 'up' };
  const target = { address: 't', upstreamUrl: 'u', state: up, upstream: up, breaker: 'closed' };
  const some = { cache: {}, front: {} };
  const status = { ...some, targets: [target], unannounced } as unknown as ProxyStatus;
  return proxyHealth(status, createProxyMetrics('0').ledger.totals()).checks['volumes'];
}

function targetVolumes(coverage: CoverageStatus | undefined, loaded = 0): HealthCheck | undefined {
  const ucxTcp = { devices: 'lo', exposed: [], guardFault: undefined };
  const connections = { waiting: 0, ended: 0, descriptors: 30, descriptorsMax: 1024, lostPorts: 0 };
  const status = {
    coverage,
    volumesLoaded: loaded,
    volumesConfirmed: 0,
    arena: {},
    connections,
    ucxTcp,
  };
  return targetHealth(status as unknown as TargetRoleStatus).checks['volumes'];
}

const nothing = { count: 0, first: [] };
const covered: CoverageStatus = {
  listed: 7,
  served: 7,
  missing: nothing,
  unserved: nothing,
  tiered: 0,
  overdue: 0,
  serverDirs: ['/data'],
  detail: 'all 7',
};

describe('a proxy whose clients read volumes that no target announces', () => {
  it('is degraded, and names them', () => {
    const check = proxyVolumes({ count: 22, first: [3, 7], reads: 120 });
    expect(check).toMatchObject({ status: 'degraded', count: 22, first: [3, 7], reads: 120 });
    expect(check?.detail).toContain('3, 7 and 20 more; 120 reads were forwarded');
  });

  it('is well when there is none', () => {
    expect(proxyVolumes({ count: 0, first: [], reads: 0 })?.status).toBe('ok');
  });
});

describe('a target', () => {
  it('that serves all that its volume server lists is well', () => {
    expect(targetVolumes(covered)).toMatchObject({ status: 'ok', detail: 'all 7', served: 7 });
  });

  it('may lack volumes for a while', () => {
    const missing = { count: 7, first: [1, 2] };
    expect(targetVolumes({ ...covered, served: 0, missing })?.status).toBe('ok');
  });

  it('that lacks some for longer is degraded', () => {
    const missing = { count: 7, first: [1, 2] };
    const check = targetVolumes({ ...covered, served: 0, missing, overdue: 7, detail: '0 of 7' });
    expect(check).toMatchObject({ status: 'degraded', detail: '0 of 7', missing: [1, 2] });
  });

  it('without a list is judged by what is confirmed', () => {
    expect(targetVolumes(undefined)).toMatchObject({ status: 'ok' });
    expect(targetVolumes(undefined, 3)).toMatchObject({ status: 'degraded' });
  });
});
