/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { serverNames } from './serve-names.mjs';

export const parts = ['fetch', 'cache', 'copy', 'serve', 'clients'];

export const help = `usage: npm run bench [-- --only PART] [--quick] [--json] …

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
export function readOptions(args) {
  const { seconds, rounds, sizes, connections, servers, only, ...rest } = parsed(args);
  if (only !== undefined && !parts.includes(only)) {
    throw new UsageError(`--only takes ${parts.join(', ')}`);
  }
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
  return {
    ...rest,
    parts: !hasSizes && (rest.quick || isPicked) ? ['serve'] : only === undefined ? parts : [only],
    seconds: numberOf('--seconds', seconds, { above: 0, upTo: 60 }),
    rounds: wholeOf('--rounds', rounds, 100),
    sizes: sizes?.split(',').map((each) => bytesOf(each, isCopy ? copiedBytesMax : bytesMax)),
    servers: servers?.split(',').map(serverOf),
    connections: connections?.split(',').map((each) => wholeOf('--connections', each, 1000)),
  };
}

function parsed(args) {
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  try {
    return parseArgs({
      args,
      options: {
        seconds: { ...text, default: '1' },
        rounds: { ...text, default: '5' },
        ...{ only: text, sizes: text, connections: text, servers: text },
        ...{ markdown: text, svg: text },
        ...{ quick: flag, json: flag, help: flag },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function numberOf(name, text, { above, upTo }) {
  const number = Number(text);
  if (number > above && number <= upTo) return number;
  throw new UsageError(`${name} takes a number over ${above}, up to ${upTo}`);
}

function wholeOf(name, text, upTo) {
  const number = numberOf(name, text, { above: 0, upTo });
  if (Number.isInteger(number)) return number;
  throw new UsageError(`${name} takes whole numbers up to ${upTo}`);
}

function serverOf(name) {
  if (name in serverNames) return name;
  throw new UsageError(`--servers takes ${Object.keys(serverNames).join(', ')}`);
}

function bytesOf(text, upTo) {
  const [, count, unit = 'B'] = /^(\d+)(B|KiB|MiB)?$/.exec(text) ?? [];
  const bytes = Number(count) * (units[unit] ?? 0);
  if (bytes >= 1 && bytes <= upTo) return bytes;
  throw new UsageError(
    `--sizes takes sizes like 4KiB, 1MiB and 512 (bytes), up to ${upTo / units.KiB}KiB`,
  );
}
