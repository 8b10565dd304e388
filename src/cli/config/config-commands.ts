/** `config check`, `config print` and `config schema`. */
import { Argument, type Command, Option } from 'commander';
import type { Role } from '../../config/check-file.ts';
import { roleSchema } from '../../config/role-schema.ts';
import { exitCodes } from '../exit-codes.ts';
import { print } from '../output.ts';
import { type CheckOptions, runConfigCheck } from './config-check.ts';
import { type PrintOptions, runConfigPrint } from './config-print.ts';

export function addConfigCommands(program: Command, finish: (exitCode: number) => void): void {
  const config = program
    .command('config')
    .description('checks and prints configuration files; starts nothing');

  config
    .command('check')
    .description('reports all mistakes in files, or every key that a role would start with')
    .argument('<files...>', 'proxy.toml, target.toml, or - for standard input')
    .addOption(roleOption())
    .option('--strict', 'treats warnings as errors')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
Variables SEAWEED_RDMA__SECTION__KEY count as they would for a role, and so do the files that are named: secrets, tokens,
security.toml. Exit code 78 when anything is wrong.

Examples:
  seaweed-rdma config check config/proxy.toml
  seaweed-rdma config check --strict /etc/seaweed-rdma/*.toml
  kubectl get configmap proxy -o jsonpath='{.data.proxy\\.toml}' | seaweed-rdma config check -`,
    )
    .action((files: string[], { role, strict = false, json = false }: Partial<CheckOptions>) => {
      finish(runConfigCheck(files, { role, strict, json }));
    });

  config
    .command('print')
    .description('prints the configuration that would run, as a file that a role can read')
    .option('--effective', 'file, environment and defaults together (the default)')
    .option('--default', 'the defaults alone')
    .option('--config <file>', 'configuration file; without it: defaults and environment')
    .addOption(roleOption())
    .addOption(new Option('--toml', 'TOML, each key with its origin (default)').conflicts('json'))
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
For secrets only the file's name is printed.

Examples:
  seaweed-rdma config print --config /etc/seaweed-rdma/proxy.toml
  seaweed-rdma config print --default --role target > target.toml`,
    )
    .action((options: Partial<PrintOptions> & { config?: string }) => {
      const { role, json = false, config: file, default: isDefault = false } = options;
      finish(runConfigPrint({ role, json, file, default: isDefault }));
    });

  config
    .command('schema')
    .description("prints the JSON Schema of a role's file, for editors")
    .addArgument(new Argument('<role>', 'role of the file').choices(['proxy', 'target']))
    .addHelpText(
      'after',
      `
An editor with a TOML language server takes it from the file's first line: #:schema ./proxy.schema.json

Example:
  seaweed-rdma config schema proxy > proxy.schema.json`,
    )
    .action((role: Role) => {
      print(JSON.stringify(roleSchema(role), undefined, 2));
      finish(exitCodes.done);
    });
}

function roleOption(): Option {
  return new Option('--role <role>', 'role of the file, if its sections do not tell').choices([
    'proxy',
    'target',
  ]);
}
