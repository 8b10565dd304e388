/** `seaweed-rdma log`. */
import { type Command, Option } from 'commander';
import { type AdminFlags, adminTool, onePlace } from '../admin/admin-tools.ts';
import { examples } from '../fabric/fabric-command.ts';
import { countValue, durationValue } from '../option-values.ts';
import { runLog } from './log.ts';

/** Options whose value is sent as it is, under the same name. */
const textFilters = ['outcome', 'reason', 'client', 'agent', 'volume', 'method', 'status', 'path'];

interface LogFlags extends AdminFlags, Readonly<Record<string, unknown>> {
  readonly follow?: boolean;
  readonly limit: number;
  readonly minDuration?: number;
  readonly own?: boolean;
}

export function addLog(program: Command, finish: (exitCode: number) => void): void {
  adminTool(program, 'log', 'shows the last requests of a running proxy, or each one as it ends')
    .option('-f, --follow', 'shows requests as they end, until Ctrl-C or the proxy ends')
    .addOption(
      new Option('--limit <n>', 'number of last requests that pass the filters')
        .argParser(countValue)
        .default(100)
        .conflicts('follow'),
    )
    .option('--outcome <names>', 'cache, rdma, passthrough, error')
    .option('--reason <names>', 'reasons of docs/reasons.md: not-found,query')
    .option('--client <addresses>', 'addresses and networks: 10.0.0.5,10.1.0.0/16')
    .option('--agent <text>', 'clients whose User-Agent contains this text')
    .option('--volume <ids>', 'volume ids: 3,7')
    .option('--method <names>', 'GET,HEAD; raw: connections that were piped unread')
    .option('--status <codes>', 'statuses and classes: 404,5xx')
    .option('--min-duration <time>', 'requests that took at least this long', durationValue)
    .option('--path <text>', 'paths that contain this text, as they are shown')
    .option('--own', "also shows requests of this package's own programs")
    .addHelpText(
      'after',
      `
Lists are separated by commas. A request is shown when it passes every filter. Cookies and tokens are masked.
${examples(
  'log --follow',
  'log --follow --outcome passthrough,error',
  'log --follow --min-duration 50ms --volume 3 --json',
  'log --limit 20 --client 10.0.0.5 --status 4xx,5xx',
)}`,
    )
    .action(async (flags: LogFlags) => {
      const ended = new AbortController();
      const end = (): void => ended.abort();
      process.once('SIGINT', end).once('SIGTERM', end);
      finish(
        await runLog({
          ...onePlace(flags, 'give one --admin: a log belongs to one proxy'),
          follow: flags.follow ?? false,
          limit: flags.limit,
          filters: filtersOf(flags),
          signal: ended.signal,
        }),
      );
    });
}

function filtersOf(flags: LogFlags): Readonly<Record<string, string>> {
  const filters: Record<string, string> = {};
  for (const name of textFilters) {
    const value = flags[name];
    if (typeof value === 'string') filters[name] = value;
  }
  if (flags.minDuration !== undefined) filters['minDurationMs'] = String(flags.minDuration);
  if (flags.own === true) filters['own'] = 'true';
  return filters;
}
