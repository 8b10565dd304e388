/** `completion`. */
import { Argument, type Command } from 'commander';
import { commandTree } from '../command-tree.ts';
import { exitCodes } from '../exit-codes.ts';
import { completionScript, type Shell, shells } from './completion.ts';

export function addCompletion(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('completion')
    .description('prints the script that completes commands and options in a shell')
    .addArgument(new Argument('<shell>', 'shell that reads the script').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  source <(seaweed-rdma completion bash)
  seaweed-rdma completion zsh > "\${fpath[1]}/_seaweed-rdma"
  seaweed-rdma completion fish > ~/.config/fish/completions/seaweed-rdma.fish`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(shell, commandTree(program)));
      finish(exitCodes.done);
    });
}
