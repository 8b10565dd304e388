/** `seaweed-rdma doctor`: gathers what each layer looks at, judges it, and prints the report. */
import { exitCodes } from '../exit-codes.ts';
import { type Check, type CheckName, catalogue, checkNames, layers } from './check.ts';
import { Examination } from './examination.ts';
import { printReport, reportOf } from './report.ts';
import { withTransport } from './security.ts';
import type { Setup } from './setup.ts';

export interface DoctorOptions {
  readonly setup: Setup;
  /** Empty: all. */
  readonly only: readonly CheckName[];
  readonly skip: readonly CheckName[];
  readonly json: boolean;
}

/** Returns the exit code: a configuration that cannot be used goes before a check that failed. */
export async function runDoctor({ setup, only, skip, json }: DoctorOptions): Promise<number> {
  const chosen = new Set<string>(
    checkNames.filter((name) => (only.length === 0 || only.includes(name)) && !skip.includes(name)),
  );
  const examination = new Examination(await withTransport(setup));
  const checks: Check[] = [];
  try {
    for (const layer of layers) {
      if (!catalogue[layer].some((name) => chosen.has(name))) continue;
      const findings = await examination.look(layer);
      for (const finding of findings.filter(({ name }) => chosen.has(name))) {
        checks.push({ layer, ...finding });
      }
    }
  } finally {
    await examination.close();
  }
  const report = reportOf(setup.role, checks);
  printReport(report, { json });
  if (setup.problems.length > 0) return exitCodes.configuration;
  return report.ok ? exitCodes.done : exitCodes.failed;
}
