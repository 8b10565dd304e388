/** `seaweed-rdma doctor`: gathers what each layer looks at, judges it, and prints the report. */
import { exitCodes } from '../exit-codes.ts';
import { type Check, type Finding, type Layer, layers } from './check.ts';
import { gatherSecretFiles, judgeConfiguration } from './configuration.ts';
import { gatherProgram, judgeProgram } from './program.ts';
import { printReport, reportOf } from './report.ts';
import type { Setup } from './setup.ts';

export interface DoctorOptions {
  readonly setup: Setup;
  /** Empty: all. */
  readonly only: readonly Layer[];
  readonly skip: readonly Layer[];
  readonly json: boolean;
}

/** Returns the exit code: a configuration that cannot be used goes before a check that failed. */
export async function runDoctor({ setup, only, skip, json }: DoctorOptions): Promise<number> {
  const chosen = layers.filter(
    (layer) => (only.length === 0 || only.includes(layer)) && !skip.includes(layer),
  );
  const examination = new Examination(setup);
  const checks: Check[] = [];
  try {
    for (const layer of chosen) {
      for (const finding of await examination.look(layer)) checks.push({ layer, ...finding });
    }
  } finally {
    await examination.close();
  }
  const report = reportOf(setup.role, checks);
  printReport(report, { json });
  if (setup.problems.length > 0) return exitCodes.configuration;
  return report.ok ? exitCodes.done : exitCodes.failed;
}

/** What several layers look at is gathered once, when the first of them asks. */
class Examination {
  readonly #setup: Setup;

  constructor(setup: Setup) {
    this.#setup = setup;
  }

  async look(layer: Layer): Promise<readonly Finding[]> {
    const setup = this.#setup;
    switch (layer) {
      case 'configuration':
        return judgeConfiguration(setup, gatherSecretFiles(setup.secretPaths));
      case 'program':
        return judgeProgram(gatherProgram(setup.version));
      default:
        return [];
    }
  }

  async close(): Promise<void> {}
}
