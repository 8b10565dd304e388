/** The mistakes in a configuration: all of them at once. */

export interface ConfigProblem {
  /** The file, or the environment variable. */
  readonly source: string;
  /** From 1; undefined where no line says it (a missing key, an environment variable). */
  readonly line: number | undefined;
  /** From 1, where it is known better than by the key. */
  readonly column?: number;
  /** Dotted, as in `cache.size`; '' where the file as a whole is meant. */
  readonly key: string;
  readonly message: string;
}

/** Nothing starts with it; the command line ends with exit code 78. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line === undefined ? problem.source : `${problem.source}:${problem.line}`;
  return problem.key === ''
    ? `${place}: ${problem.message}`
    : `${place}: ${problem.key}: ${problem.message}`;
}
