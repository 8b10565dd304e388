/** Cells → figures: what is compared with what, and when a bar is met. */
import { describe, expect, test } from 'vitest';
import type { Cell } from './serve-cells.ts';
import { type Figure, figuresOf, type Measured } from './serve-figures.ts';
import type { LatencyCell } from './serve-latency.ts';
import { type Group, planOf, type SubjectName } from './serve-plan.ts';

const quick = planOf({ isQuick: true, sizes: undefined, connections: undefined });
const whole = planOf({ isQuick: false, sizes: undefined, connections: undefined });
const servers: readonly SubjectName[] = ['strict', 'immutable', 'volume-server'];

describe('figures', () => {
  test.each([
    ['quick', quick],
    ['whole', whole],
  ])('the %s plan measures all that they need', (_, plan) => {
    const figures = figuresOf(measuredBy(plan));
    expect(figures).toHaveLength(26);
    expect(figures.filter(({ value }) => value === undefined)).toEqual([]);
  });

  test('saturated servers are compared by requests a second', () => {
    const cost = { strict: 10, 'volume-server': 40 };
    const figure = find(figuresOf(measuredBy(quick, cost)), 'hit, strict, 16', 'volume-server');
    expect(figure).toMatchObject({ value: 4, bar: 3.5, verdict: 'met', note: '' });
  });

  test('where one had time left, by CPU, and the line says so', () => {
    const measured = measuredBy(quick, { strict: 10, 'nginx-cache': 13 });
    const cells = measured.cells.map((cell) =>
      cell.subject === 'nginx-cache'
        ? { ...cell, limitedBy: 'generator' as const, rounds: slowed(cell.rounds, 2) }
        : cell,
    );
    const figure = find(figuresOf({ ...measured, cells }), 'hit, strict, 16', 'nginx-cache');
    expect(figure).toMatchObject({ value: 1.3, bar: 1.4, verdict: 'not met' });
    expect(figure.note).toContain('generator-bound');
  });

  test("a target's share is part of a hit's cost, not of the proxy's core", () => {
    const figures = figuresOf(measuredBy(quick, { 'miss-shm': 20, 'volume-server': 36 }, 10));
    expect(find(figures, 'miss', "proxy's core").value).toBe(1.8);
    expect(find(figures, 'miss', 'proxy + target')).toMatchObject({ value: 0.83, verdict: 'met' });
  });

  test('what is not installed is neither met nor not met', () => {
    const measured = measuredBy(quick);
    const cells = measured.cells.filter(({ subject }) => subject !== 'varnish');
    const figures = figuresOf({ ...measured, cells, missing: ['varnish'] });
    expect(find(figures, 'hit, strict, 16', 'varnish').verdict).toBe('not installed');
    const unasked = figuresOf({ ...measured, cells });
    expect(find(unasked, 'hit, strict, 16', 'varnish').verdict).toBe('not measured');
  });

  test('what writes cost by themselves is taken off a mix', () => {
    const measured = measuredBy(quick, { strict: 20 });
    const costs = { read: 20, signed: 20, write: 120, mixed: 0.9 * 25 + 0.1 * 120 };
    const cells = measured.cells.map((cell) => ({
      ...cell,
      rounds: roundsOf(costs[cell.work], 0),
    }));
    expect(find(figuresOf({ ...measured, cells }), '90/10', 'reads')).toMatchObject({
      value: 0.8,
      verdict: 'met',
    });
  });

  test('latency is compared round by round, each at half of its own load or all at the same rate', () => {
    const latencies = [
      ...[latency('strict', 'its own', [100, 900, 300])],
      ...[latency('strict', "the volume server's", [50, 50, 50])],
      ...[latency('volume-server', 'its own', [100, 1000, 100])],
    ];
    const figures = figuresOf({ ...measuredBy(quick), latencies });
    expect(find(figures, 'p99', 'half of its own')).toMatchObject({ value: 1, verdict: 'met' });
    expect(find(figures, 'p99', "volume server's")).toMatchObject({ value: 0.5, verdict: 'met' });
    const busy = latencies.map((each) => ({ ...each, generatorBusy: 0.95 }));
    const bound = figuresOf({ ...measuredBy(quick), latencies: busy });
    expect(find(bound, 'p99', 'half of its own').note).toBe('generator-bound');
    expect(find(figures, 'p99', 'half of its own').note).toBe('');
  });

  test('an idle proxy may neither run nor wake up', () => {
    const idle = [
      { subject: 'strict', seconds: 10, cpuPercent: 0.04, wakeUpsPerSecond: 40 } as const,
    ];
    const figures = figuresOf({ ...measuredBy(quick), idle });
    expect(find(figures, 'idle', '%').verdict).toBe('met');
    expect(find(figures, 'idle', 'wake-ups').verdict).toBe('not met');
  });
});

function find(figures: readonly Figure[], work: string, name: string): Figure {
  return figures.find((each) => each.work.includes(work) && each.name.includes(name)) as Figure;
}

/** Every server of a plan at what one of its requests costs, in µs, on a core of its own. */
function measuredBy(
  plan: readonly Group[],
  costs: Partial<Record<SubjectName, number>> = {},
  targetUs = 0,
): Measured {
  const cells = plan.flatMap(({ subjects, ...group }) =>
    subjects.map((subject): Cell => {
      const ours = subject === 'miss-shm' ? targetUs : 0;
      const rounds = roundsOf(costs[subject] ?? 20, ours);
      const [first] = rounds;
      return {
        ...group,
        ...(first as (typeof rounds)[number]),
        ...{ subject, rounds },
        ...{ limitedBy: 'itself', hasAskedUpstream: false, megabytesPerCpuSecond: 1 },
      };
    }),
  );
  const idle = [{ subject: 'strict', seconds: 10, cpuPercent: 0, wakeUpsPerSecond: 0 } as const];
  const latencies = servers.flatMap((subject) => [
    latency(subject, 'its own', [100]),
    latency(subject, "the volume server's", [100]),
  ]);
  return { cells, latencies, idle, missing: [] };
}

function roundsOf(serverCpuUs: number, targetUs: number): Cell['rounds'] {
  const requestsPerSecond = 1e6 / serverCpuUs;
  const cpuUs = serverCpuUs + targetUs;
  const others = { upstreamCpuUs: 0, busy: 1, coreBusy: 1, otherCoreBusy: 0.5 };
  return Array.from({ length: 3 }, () => ({ requestsPerSecond, serverCpuUs, cpuUs, ...others }));
}

/** Rounds in which the load generator was too slow for the server. */
function slowed(rounds: Cell['rounds'], factor: number): Cell['rounds'] {
  return rounds.map((round) => ({ ...round, requestsPerSecond: round.requestsPerSecond / factor }));
}

function latency(
  subject: SubjectName,
  halfOf: LatencyCell['halfOf'],
  p99UsByRound: readonly number[],
): LatencyCell {
  const times = { p50Us: 50, p99Us: 100, p999Us: 200, lateP99Us: 5 };
  const load = { requestsPerSecond: 10_000, generatorBusy: 0.5, unanswered: 0 };
  return { subject, halfOf, p99UsByRound, ...times, ...load };
}
