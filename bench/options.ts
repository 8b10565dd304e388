/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { isServer, serverNames } from './serve-names.ts';
import type { SubjectName } from './serve-plan.ts';

export const parts = ['fetch', 'cache', 'copy', 'serve', 'clients'] as const;
export type Part = (typeof parts)[number];

export interface BenchOptions {
  readonly parts: readonly Part[];
  readonly seconds: number;
  readonly rounds: number;
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  /** In bytes. */
  readonly sizes: readonly number[] | undefined;
  readonly connections: readonly number[] | undefined;
  readonly servers: readonly SubjectName[] | undefined;
  readonly markdown: string | undefined;
  readonly svg: string | undefined;
}

export const help: string = `usage: npm run bench [-- --only PART] [--quick] [--json] …

  --only PART      fetch: a fetch and the needle map; cache: hits, their cost and the hit ratio;
                   copy: up to which size a body is copied;
                   serve: against the volume server (WEED_BIN), nginx, Varnish;
                   clients: GETs through a filer and an S3 gateway, with and without the proxy
                   (WEED_BIN) (default all)
  --quick          the figures of serve alone, in a few minutes
  --seconds N      how long each cell is measured (default 1); wrk takes whole seconds
  --rounds N       of serve, copy and clients (default 5)
  --sizes LIST     of serve, or of copy or clients with --only, for example 1KiB,256KiB: these only
  --connections L  of serve, or of clients with --only clients, for example 16,64
  --servers LIST   of serve, some of: ${Object.keys(serverNames).join(', ')}
  --json           one JSON document instead of tables
  --markdown FILE  the tables, to a file as well
  --svg FILE       of serve: CPU time of one request by server, as a picture
`;

const units = { B: 1, KiB: 1024, MiB: 1024 * 1024 };
const bytesMax = 64 * units.MiB;
/** A longer body is no single write to begin with. */
const copiedBytesMax = 256 * units.KiB;

export class UsageError extends Error {}

/** Throws UsageError. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { seconds, rounds, sizes, connections, servers, ...rest } = parsed(args);
  const only = rest.only === undefined ? undefined : partOf(rest.only);
  if (rest.quick && only !== undefined && only !== 'serve') {
    throw new UsageError('--quick is of serve');
  }
  const isCopy = only === 'copy';
  const hasSizes = isCopy || only === 'clients';
  if (isCopy && (connections ?? servers ?? rest.svg) !== undefined) {
    throw new UsageError('--connections, --servers and --svg are of serve');
  }
  if (only === 'clients' && (servers ?? rest.svg) !== undefined) {
    throw new UsageError('--servers and --svg are of serve');
  }
  const isPicked = [sizes, connections, servers].some((each) => each !== undefined);
  const { quick, json, help, markdown, svg } = rest;
  return {
    ...{ quick, json, help, markdown, svg },
    parts: !hasSizes && (rest.quick || isPicked) ? ['serve'] : only === undefined ? parts : [only],
    seconds: numberOf('--seconds', seconds, { above: 0, upTo: 60 }),
    rounds: wholeOf('--rounds', rounds, 100),
    sizes: sizes?.split(',').map((each) => bytesOf(each, isCopy ? copiedBytesMax : bytesMax)),
    servers: servers?.split(',').map(serverOf),
    connections: connections?.split(',').map((each) => wholeOf('--connections', each, 1000)),
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        seconds: { ...text, default: '1' },
        rounds: { ...text, default: '5' },
        ...{ only: text, sizes: text, connections: text, servers: text },
        ...{ markdown: text, svg: text },
        ...{ quick: flag, json: flag, help: flag },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function partOf(name: string): Part {
  const found = parts.find((part) => part === name);
  if (found !== undefined) return found;
  throw new UsageError(`--only takes ${parts.join(', ')}`);
}

function numberOf(
  name: string,
  text: string,
  { above, upTo }: { readonly above: number; readonly upTo: number },
): number {
  const number = Number(text);
  if (number > above && number <= upTo) return number;
  throw new UsageError(`${name} takes a number over ${above}, up to ${upTo}`);
}

function wholeOf(name: string, text: string, upTo: number): number {
  const number = numberOf(name, text, { above: 0, upTo });
  if (Number.isInteger(number)) return number;
  throw new UsageError(`${name} takes whole numbers up to ${upTo}`);
}

function serverOf(name: string): SubjectName {
  if (isServer(name)) return name;
  throw new UsageError(`--servers takes ${Object.keys(serverNames).join(', ')}`);
}

function bytesOf(text: string, upTo: number): number {
  const [, count, unit = 'B'] = /^(\d+)(B|KiB|MiB)?$/.exec(text) ?? [];
  const bytes = Number(count) * units[unit as keyof typeof units];
  if (bytes >= 1 && bytes <= upTo) return bytes;
  throw new UsageError(
    `--sizes takes sizes like 4KiB, 1MiB and 512 (bytes), up to ${upTo / units.KiB}KiB`,
  );
}
