/** The alert rules against what the roles expose, and against the runbook. */
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { reasons } from '../../src/needle/reasons.ts';
import { runCommand } from '../integration/program.ts';
import { faultsOf, namedValues, ownSeries, parsePromql } from './promql.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const root = join(import.meta.dirname, '..', '..');
const rulesFile = join(root, 'deploy/prometheus/alerts.yaml');
const unitTests = join(import.meta.dirname, 'alerts-promtool.yaml');
const { groups } = parse(readFileSync(rulesFile, 'utf8')) as {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
const sections = new Map(
  runbook
    .split(/^## /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text] as const),
);

describe('the alert rules', () => {
  test('ask only for metrics and labels that a role exposes', () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(rules.flatMap(({ expr }) => faultsOf(expr, ownSeries()))).toEqual([]);
  });

  test('name only reasons that exist', () => {
    const named = rules.flatMap(({ alert, expr }) =>
      parsePromql(expr).metrics.flatMap(({ matchers }) =>
        matchers
          .filter(({ label }) => label === 'reason')
          .flatMap((matcher) => namedValues(matcher) ?? [])
          .map((reason) => ({ alert, reason })),
      ),
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter(({ reason }) => !reasons.some((each) => each === reason))).toEqual([]);
  });

  test('have a name of their own, a known severity, and a summary of labels that are there', () => {
    const names = rules.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    const wrong = rules.flatMap(({ alert, expr, labels, annotations }) => {
      const { metrics, grouped } = parsePromql(expr);
      const known = [
        ...grouped,
        'instance',
        ...metrics.flatMap((m) => ownSeries().get(m.name) ?? []),
      ];
      const used = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, name]) => name);
      return [
        ...(/^SeaweedRdma([A-Z][a-z]*)+$/.test(alert) ? [] : [`${alert}: an odd name`]),
        ...(['critical', 'warning', 'info'].includes(labels.severity)
          ? []
          : [`${alert}: severity`]),
        ...(used.includes('instance') ? [] : [`${alert}: does not say which instance`]),
        ...used
          .filter((name) => !known.includes(String(name)))
          .map((name) => `${alert}: its summary has no label ${name}`),
      ];
    });
    expect(wrong).toEqual([]);
  });

  test('have a section of the runbook each, which says what it means, how to check and what to do', () => {
    expect([...sections.keys()].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
    const incomplete = [...sections].flatMap(([name, text]) =>
      ['**Means.**', '**Check.**', '**Do.**']
        .filter((part) => !text.includes(part))
        .map((part) => `${name}: ${part}`),
    );
    expect(incomplete).toEqual([]);
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    }
  });

  test('and the runbook names only metrics and alerts that exist', () => {
    const series = [...ownSeries().keys()];
    const metrics = [...runbook.matchAll(/\b(?:seaweed_)?rdma_[a-z_]+[a-z]/g)].map(
      ([name]) => name,
    );
    const links = [...runbook.matchAll(/\]\(#(\w+)\)/g)].map(([, anchor]) => anchor);
    const anchors = rules.map(({ alert }) => alert.toLowerCase());
    expect(metrics.length).toBeGreaterThan(5);
    expect(metrics.filter((name) => !series.includes(name))).toEqual([]);
    expect(links.filter((anchor) => !anchors.includes(String(anchor)))).toEqual([]);
  });

  test('each have a case that fires it', () => {
    const text = readFileSync(unitTests, 'utf8');
    const { tests } = parse(text) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
    };
    const fired = tests
      .flatMap((each) => each.alert_rule_test)
      .filter(({ exp_alerts }) => (exp_alerts ?? []).length > 0)
      .map(({ alertname }) => alertname);
    expect([...new Set(fired)].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });
});

const promtool =
  process.env['PROMTOOL'] ??
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'promtool'))
    .find((path) => existsSync(path));
if (promtool === undefined) {
  console.log('skipped: promtool is not on the PATH (Debian package prometheus), nor in PROMTOOL');
}

describe.skipIf(promtool === undefined)('promtool', () => {
  test('takes the rules', async () => {
    const { status, stdout, stderr } = await runCommand(promtool as string, [
      'check',
      'rules',
      rulesFile,
    ]);
    expect(stderr + stdout).toMatch(new RegExp(`${rules.length} rules found`));
    expect(status).toBe(0);
  });

  test('sees each alert fire for its cause, and be silent where all is well', async () => {
    const { status, stdout, stderr } = await runCommand(promtool as string, [
      'test',
      'rules',
      unitTests,
    ]);
    expect(stderr + stdout).not.toMatch(/FAILED/);
    expect(status).toBe(0);
  });
});
