/** `seaweed-rdma config print`. */
import { checkFile, defaultKeys, type Role } from '../../config/check-file.ts';
import { writeToml } from '../../config/write-toml.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print, printJson } from '../output.ts';
import { readConfigArgument } from './config-argument.ts';

export interface PrintOptions {
  /** undefined: by the file's sections; without a file: the proxy. */
  readonly role: Role | undefined;
  /** `-`: standard input. */
  readonly file: string | undefined;
  /** The defaults alone; nothing is read. */
  readonly default: boolean;
  readonly json: boolean;
}

/** Returns the exit code. @throws ConfigError when nothing would run. */
export function runConfigPrint(options: PrintOptions): number {
  const { role, keys, warnings } = options.default
    ? { role: options.role ?? 'proxy', keys: defaultKeys(options.role ?? 'proxy'), warnings: [] }
    : effective(options);
  for (const warning of warnings) note(`warning: ${warning}`);
  if (options.json) {
    printJson({ role, keys });
    return exitCodes.done;
  }
  const what = options.default ? 'The defaults of the' : 'What would run as the';
  print(writeToml(`${what} ${role}, each key with where its value comes from.`, keys));
  return exitCodes.done;
}

function effective({ file, role }: PrintOptions): ReturnType<typeof checkFile> {
  const source = file === undefined ? undefined : readConfigArgument(file);
  return checkFile(source, role, process.env);
}
