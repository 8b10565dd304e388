export interface BenchOptions {
  readonly parts: readonly string[];
  readonly seconds: number;
  readonly rounds: number;
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  /** In bytes. */
  readonly sizes?: readonly number[] | undefined;
  readonly connections?: readonly number[] | undefined;
  readonly servers?: readonly string[] | undefined;
  readonly markdown?: string;
  readonly svg?: string;
}

export class UsageError extends Error {}

/** Throws UsageError. */
export function readOptions(args: readonly string[]): BenchOptions;
