/** A tool that cannot do its work: the line for stderr, and how the program ends. */
import { exitCodes } from './exit-codes.ts';

export class ToolFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.name = 'ToolFailure';
    this.exitCode = exitCode;
  }
}
