/** `top`, `stats` and `cache …`: the tools that ask the admin listener of a running role. */
import { type Command, InvalidArgumentError } from 'commander';
import { formatListen, parseListen, reachable } from '../../config/address.ts';
import { checkFile } from '../../config/check-file.ts';
import { loadProxyConfig } from '../../config/proxy-config.ts';
import { readSecretOption } from '../../config/secret-file.ts';
import { loadTargetConfig } from '../../config/target-config.ts';
import { runCacheEvict, runCacheList, runCacheStats, runCacheWarm } from '../cache/cache.ts';
import { exitCodes } from '../exit-codes.ts';
import { examples } from '../fabric/fabric-command.ts';
import { collected, countValue, numberValue, timeOption } from '../option-values.ts';
import { runStats } from '../stats/stats.ts';
import { ToolFailure } from '../tool-failure.ts';
import { runTop } from '../top/top.ts';
import type { AdminAddress } from './admin-client.ts';

export interface AdminFlags {
  readonly admin?: readonly string[];
  readonly config?: string;
  readonly tokenFile?: string;
  readonly timeout: number;
  readonly json?: boolean;
}

/** The configuration's admin address, unless an option names another. */
const adminDefault = '127.0.0.1:8081';

export function addAdminTools(program: Command, finish: (exitCode: number) => void): void {
  adminTool(program, 'top', 'shows what running roles do, live: traffic, latency, cache, targets')
    .addOption(timeOption('--interval <time>', 'between two looks', 1000))
    .option('--once', 'prints one frame after one interval, as plain lines')
    .option('--no-color', 'no colours, like NO_COLOR')
    .addHelpText(
      'after',
      examples(
        'top',
        'top --admin 10.0.0.1:8081 --admin 10.0.0.2:8081 --token-file token',
        'top --config proxy.toml --once',
        'top --json --interval 10s > proxy.jsonl',
      ),
    )
    .action(async (flags: AdminFlags & { interval: number; once?: boolean; color: boolean }) => {
      const { interval: intervalMs, once = false, timeout: timeoutMs, json = false } = flags;
      const isColoured = flags.color && (process.env['NO_COLOR'] ?? '') === '';
      finish(
        await runTop({ places: placesOf(flags), intervalMs, once, timeoutMs, json, isColoured }),
      );
    });

  adminTool(program, 'stats', 'shows the counters of running roles since their start')
    .addHelpText('after', examples('stats', 'stats --config target.toml --json'))
    .action(async (flags: AdminFlags) => {
      const { timeout: timeoutMs, json = false } = flags;
      finish(await runStats({ places: placesOf(flags), timeoutMs, json }));
    });

  addCacheTools(program, finish);
}

function addCacheTools(program: Command, finish: (exitCode: number) => void): void {
  const cache = program.command('cache').description("shows and changes a running proxy's cache");

  adminTool(cache, 'stats', 'shows how full the cache is, and how often it is hit')
    .addHelpText('after', examples('cache stats --config proxy.toml'))
    .action(async (flags: AdminFlags) => finish(await runCacheStats(cacheOptions(flags))));

  adminTool(cache, 'list', 'lists the cached needles that were asked for most lately')
    .option('--limit <n>', 'number of needles', countValue, 20)
    .addHelpText('after', examples('cache list --limit 100 --json'))
    .action(async (flags: AdminFlags & { limit: number }) =>
      finish(await runCacheList({ ...cacheOptions(flags), limit: flags.limit })),
    );

  adminTool(cache, 'warm', 'reads needles into the cache')
    .argument('[fid...]', 'such as 3,01637037d6')
    .option('--file <file>', 'file with one fid a line; -: standard input')
    .addHelpText('after', examples('cache warm 3,01637037d6', 'cache warm --file fids.txt'))
    .action(async (fids: string[], flags: AdminFlags & { file?: string }) =>
      finish(await runCacheWarm({ ...cacheOptions(flags), fids, file: flags.file })),
    );

  adminTool(cache, 'evict', 'drops needles from the cache: single ones, those of a volume, or all')
    .argument('[fid...]', 'such as 3,01637037d6')
    .option('--volume <id>', 'all needles of a volume', numberValue)
    .option('--all', 'all needles')
    .addHelpText(
      'after',
      examples('cache evict 3,01637037d6', 'cache evict --volume 3', 'cache evict --all'),
    )
    .action(async (fids: string[], flags: AdminFlags & { volume?: number; all?: boolean }) => {
      const { volume: volumeId, all = false } = flags;
      finish(await runCacheEvict({ ...cacheOptions(flags), fids, volumeId, all }));
    });
}

export function adminTool(parent: Command, name: string, description: string): Command {
  const isOfOne = parent.name() === 'cache' || name === 'log';
  const several = isOfOne ? '' : '; may be given several times';
  return parent
    .command(name)
    .description(description)
    .option(
      '--admin <address>',
      `host:port or unix:/path of the admin listener${several} (default: ${adminDefault})`,
      adminValue,
    )
    .option('--config <file>', 'proxy.toml or target.toml, for address and token')
    .option('--token-file <file>', "file with the token of the role's admin.token_file")
    .addOption(timeOption('--timeout <time>', 'deadline of each answer', 5000))
    .option('--json', 'JSON in place of text');
}

function adminValue(text: string, before?: readonly string[]): string[] {
  if (parseListen(text) === undefined) {
    throw new InvalidArgumentError('It is host:port or unix:/path.');
  }
  return collected(text, before);
}

function cacheOptions(flags: AdminFlags): ReturnType<typeof onePlace> {
  return onePlace(flags, 'give one --admin: a cache belongs to one proxy');
}

/** `remedy`: what to do where there are several. */
export function onePlace(
  flags: AdminFlags,
  remedy: string,
): { readonly place: AdminAddress; readonly timeoutMs: number; readonly json: boolean } {
  const [place, ...others] = placesOf(flags);
  if (place === undefined || others.length > 0) throw new ToolFailure(remedy, exitCodes.usage);
  return { place, timeoutMs: flags.timeout, json: flags.json ?? false };
}

/** A role logs where it listens, "0.0.0.0:8081" for example: no listener answers to that name. */
function connectable(text: string): string {
  const listen = parseListen(text);
  return listen === undefined ? text : formatListen(reachable(listen));
}

function placesOf({ admin, config, tokenFile }: AdminFlags): AdminAddress[] {
  if (admin !== undefined && config !== undefined) {
    throw new ToolFailure('give --admin or --config, not both', exitCodes.usage);
  }
  const given = tokenFile === undefined ? undefined : readSecretOption(tokenFile);
  if (config === undefined) {
    return (admin ?? [adminDefault]).map((text) => ({ address: connectable(text), token: given }));
  }
  const { role } = checkFile(config, undefined, process.env);
  const load = role === 'proxy' ? loadProxyConfig : loadTargetConfig;
  const { admin: found, adminToken } = load(config, process.env);
  return [{ address: formatListen(reachable(found.listen)), token: given ?? adminToken }];
}
