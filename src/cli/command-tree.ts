/** Every command of the program with its options and arguments, as data. */
import type { Argument, Command, Option } from 'commander';

export interface CommandEntry {
  /** Words behind the program's name; [] is the program itself. */
  readonly path: readonly string[];
  readonly command: Command;
  readonly options: readonly Option[];
  readonly args: readonly Argument[];
  /** Names of the commands below. */
  readonly children: readonly string[];
}

/** Depth first, the program first. */
export function commandTree(program: Command, path: readonly string[] = []): CommandEntry[] {
  const below = program.commands;
  const entry = {
    path,
    command: program,
    options: program.createHelp().visibleOptions(program),
    args: program.registeredArguments,
    children: below.map((child) => child.name()),
  };
  return [entry, ...below.flatMap((child) => commandTree(child, [...path, child.name()]))];
}

/** Tells the kind of a value by its name in the help: `<file>`, `<dir>`, … */
export function takesPath(flagsOrName: string): boolean {
  return /[<[]?(file|dir|path|folder)s?(\.\.\.)?[>\]]?$/i.test(flagsOrName);
}

export function takesValue(option: Option): boolean {
  return option.required || option.optional;
}
