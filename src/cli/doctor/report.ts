/** The findings for a person, and as one JSON object. */
import { styleText } from 'node:util';
import { printJson, printStyled, visible } from '../output.ts';
import type { Check, CheckResult } from './check.ts';

export interface DoctorReport {
  /** Nothing failed. */
  readonly ok: boolean;
  readonly role: 'proxy' | 'target' | null;
  readonly checks: readonly Check[];
  readonly counts: Readonly<Record<CheckResult, number>>;
}

export function reportOf(
  role: 'proxy' | 'target' | undefined,
  checks: readonly Check[],
): DoctorReport {
  const count = (result: CheckResult): number =>
    checks.filter((check) => check.result === result).length;
  const counts = {
    ok: count('ok'),
    warn: count('warn'),
    fail: count('fail'),
    skip: count('skip'),
  };
  return { ok: counts.fail === 0, role: role ?? null, checks, counts };
}

export function printReport(report: DoctorReport, options: { readonly json: boolean }): void {
  if (options.json) printJson(report);
  else for (const line of tableOf(report, paintFor(process.stdout))) printStyled(line);
}

type Paint = (style: 'green' | 'yellow' | 'red' | 'dim' | 'bold', text: string) => string;

/** styleText itself looks at NO_COLOR and at whether the stream is a terminal. */
function paintFor(stream: NodeJS.WriteStream): Paint {
  return (style, text) => styleText(style, text, { stream });
}

const styles = { ok: 'green', warn: 'yellow', fail: 'red', skip: 'dim' } as const;
const nameWidth = 19;

export function tableOf(report: DoctorReport, paint: Paint): readonly string[] {
  const lines: string[] = [];
  let layer = '';
  for (const check of report.checks) {
    if (check.layer !== layer) {
      layer = check.layer;
      lines.push(paint('bold', layer));
    }
    lines.push(...checkLines(check, paint));
  }
  const { ok, warn, fail, skip } = report.counts;
  lines.push('', `${ok} ok, ${warn} warn, ${fail} fail, ${skip} skip`);
  return lines;
}

function checkLines(check: Check, paint: Paint): string[] {
  const { name, result } = check;
  const summary = visible(check.summary);
  const evidence = check.evidence.map(visible);
  const fix = check.fix.map(visible);
  const head = `  ${paint(styles[result], result.padEnd(4))}  ${name.padEnd(nameWidth)} ${summary}`;
  const indent = ' '.repeat(8);
  return [
    result === 'skip' ? `  ${paint('dim', `skip  ${name.padEnd(nameWidth)} ${summary}`)}` : head,
    ...evidence.map((line) => paint('dim', `${indent}${line}`)),
    ...fix.map((line) => `${indent}${paint('bold', 'fix:')} ${line}`),
  ];
}
