import type { Counts } from './counts.ts';

/** Prints a suite's output. Texts end their lines themselves. */
export type Print = (text: string) => void;

export interface Suite {
  readonly name: string;
  readonly tells: string;
  /** Not run by default. */
  readonly isExtra?: boolean;
  /** The tests that may run at the same time as other suites. */
  beside?(print: Print): Promise<Counts>;
  /** The tests that must not: they run when every other suite has ended. */
  alone?(print: Print): Promise<Counts>;
}

/** Both parts of a suite. */
export type SuiteParts = Required<Pick<Suite, 'beside' | 'alone'>>;
