/** `ping`, `capabilities` and `read`: the tools that ask a target. */
import type { Command } from 'commander';
import { exitCodes } from '../exit-codes.ts';
import { countValue, sizeOption, sizeValue, timeOption, urlValue } from '../option-values.ts';
import { ToolFailure } from '../tool-failure.ts';
import { packageVersion } from '../version.ts';
import { runCapabilities } from './capabilities.ts';
import {
  type CommonFlags,
  examples,
  fabricTool,
  isJson,
  type NeedleFlags,
  needleOf,
  needleOptions,
} from './fabric-command.ts';
import { fabricOptions, requiredFabricOptions } from './fabric-options.ts';
import { runPing } from './ping.ts';
import { type ReadToolOptions, runRead } from './read.ts';

const whichNeedle = 'no needle is named: give a fid, or --volume --needle --cookie';

export function addFabricTools(program: Command, finish: (exitCode: number) => void): void {
  fabricTool(program, 'ping', 'measures round trips to a target')
    .option('--count <n>', 'number of round trips', countValue, 5)
    .addOption(timeOption('--interval <time>', 'time between two', 200))
    .addHelpText('after', examples('ping --target 127.0.0.1:18515 --count 100 --interval 1ms'))
    .action(async (flags: CommonFlags & { count: number; interval: number }) => {
      const fabric = requiredFabricOptions(flags);
      const { count, interval: intervalMs, timeout: timeoutMs } = flags;
      finish(await runPing({ fabric, count, intervalMs, timeoutMs, json: isJson(flags) }));
    });

  fabricTool(program, 'capabilities', 'shows what this machine has, and what a target announces')
    .addHelpText('after', examples('capabilities', 'capabilities --target 127.0.0.1:18515 --json'))
    .action(async (flags: CommonFlags) => {
      const fabric = fabricOptions(flags);
      const version = packageVersion();
      const { timeout: timeoutMs } = flags;
      finish(await runCapabilities({ version, fabric, timeoutMs, json: isJson(flags) }));
    });

  needleOptions(
    fabricTool(program, 'read', 'reads one needle as it is stored, and verifies its checksum'),
  )
    .argument('[fid]', 'such as 3,01637037d6')
    .option('--output <file>', 'file for the data (default: stdout)')
    .option('--metadata', "only the needle's metadata, without its data")
    .option('--offset <size>', 'first stored byte to read', sizeValue)
    .option('--size <size>', 'number of bytes to read; without it: to the end', sizeValue)
    .option('--compare <url>', 'fails unless this HTTP server gives the same bytes', urlValue)
    .addOption(sizeOption('--max-size <size>', 'larger needles are refused', 64 * 2 ** 20))
    .addHelpText(
      'after',
      examples(
        'read 3,01637037d6 --target 127.0.0.1:18515 --output out.jpg',
        'read 3,01637037d6 --config proxy.toml --compare http://10.0.0.1:8080 --output out.jpg',
        'read --volume 3 --needle 0x01 --cookie 0x637037d6 --config proxy.toml --json',
      ),
    )
    .action(async (fid: string | undefined, flags: ReadFlags) => {
      const needle = needleOf(fid, flags);
      if (needle === undefined) {
        throw new ToolFailure(whichNeedle, exitCodes.usage);
      }
      const exitCode = await runRead({
        fabric: requiredFabricOptions(flags),
        needle,
        output: flags.output,
        metadataOnly: flags.metadata ?? false,
        range: rangeOf(flags),
        compareUrl: flags.compare,
        bytesMax: flags.maxSize,
        timeoutMs: flags.timeout,
        json: isJson(flags),
      });
      finish(exitCode);
    });
}

interface ReadFlags extends CommonFlags, NeedleFlags {
  readonly output?: string;
  readonly metadata?: boolean;
  readonly offset?: number;
  readonly size?: number;
  readonly compare?: string;
  readonly maxSize: number;
}

/** undefined: the whole needle. */
function rangeOf({ offset, size, maxSize }: ReadFlags): ReadToolOptions['range'] {
  if (offset === undefined && size === undefined) return undefined;
  return { offset: offset ?? 0, bytes: Math.min(size ?? maxSize, maxSize) };
}
