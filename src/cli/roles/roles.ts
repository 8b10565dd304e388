/** `proxy`, `target`, `origin`, `config …` and `setup`. The modules of a role are loaded for it alone: tools start in half the time. */
import type { Command } from 'commander';
import { addConfigCommands } from '../config/config-commands.ts';
import { collected, listenValue } from '../option-values.ts';
import { runSetup } from '../setup.ts';
import { type LogFormatOption, logFormatOption } from './log-options.ts';

const environmentHelp = `
Every key can be overridden by the environment: SEAWEED_RDMA__SECTION__KEY, as in SEAWEED_RDMA__CACHE__SIZE=1GiB.
Logs to stdout, JSON lines where that is no terminal; the line with "event":"ready" carries every bound address.
SIGTERM drains, a second one ends at once; SIGHUP reads the configuration anew.
`;

export function addRoles(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('proxy')
    .description("answers SeaweedFS clients in the volume server's place")
    .option('--config <file>', 'proxy.toml; without it: defaults and environment')
    .addOption(logFormatOption())
    .addHelpText('after', `${environmentHelp}\nExample:\n  seaweed-rdma proxy --config proxy.toml`)
    .action(async (options: { config?: string } & LogFormatOption) => {
      const { runProxyRole } = await import('./proxy-role.ts');
      return runProxyRole(options);
    });

  program
    .command('target')
    .description("reads a volume server's directories and answers proxies over UCX")
    .option('--config <file>', 'target.toml; without it: defaults and environment')
    .addOption(logFormatOption())
    .addHelpText(
      'after',
      `${environmentHelp}\nExample:\n  seaweed-rdma target --config target.toml`,
    )
    .action(async (options: { config?: string } & LogFormatOption) => {
      const { runTargetRole } = await import('./target-role.ts');
      return runTargetRole(options);
    });

  program
    .command('origin')
    .description('a read-only volume server for demos and tests; not for production')
    .requiredOption('--dir <dir>', 'directory with volumes; may be given several times', collected)
    .requiredOption('--listen <address>', 'host:port; port 0: any free one', listenValue)
    .addOption(logFormatOption())
    .addHelpText(
      'after',
      `
It is made of the proxy's own reader and response rules, for machines where no SeaweedFS is installed: no writes, no
replication, no image operations, no chunk manifests.

Example:
  seaweed-rdma origin --dir ./volumes --listen 127.0.0.1:8080`,
    )
    .action(
      async (
        options: { dir: string[]; listen: { host: string; port: number } } & LogFormatOption,
      ) => {
        const { runOriginRole } = await import('./origin-role.ts');
        return runOriginRole(options);
      },
    );

  addConfigCommands(program, finish);

  program
    .command('setup')
    .description('builds the native part of an installed package')
    .addHelpText('after', '\nIn a checkout: npm run setup\n\nExample:\n  npx seaweed-rdma setup')
    .action(() => {
      finish(runSetup());
    });
}
