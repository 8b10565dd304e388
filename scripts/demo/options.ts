/** The command line of `npm run demo`. */
import { parseArgs } from 'node:util';

const usage = `npm run demo [-- --keep] [-- --json] [-- --reads N] [-- --tls NAMES]

Sample volumes, a volume server, a target and a proxy; real reads whose bytes are compared with the volume files, then
reads while a writer appends, overwrites and deletes. Ends with 0 when nothing differed.

  --keep     stays up and prints its URLs
  --json     the result as one JSON object
  --reads N  how many reads before the writes (default 4000)
  --tls NAMES  what UCX may use (rdma.tls); with RDMA alone, such as rc, the target listens at the address of an RDMA port
  --help     this text`;

export interface DemoOptions {
  readonly keep: boolean;
  readonly json: boolean;
  readonly reads: number;
  /** UCX_TLS. */
  readonly tls: string;
}

/** Ends the process after --help, and with 2 where an option is not understood. */
export function demoOptions(): DemoOptions {
  try {
    const { values } = parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        reads: { type: 'string', default: '4000' },
        tls: { type: 'string', default: 'auto' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    const { keep, json, tls } = values;
    return { keep, json, tls, reads: readsOf(values.reads) };
  } catch (error) {
    console.error(`demo: ${(error as Error).message}\n\n${usage}`);
    process.exit(2);
  }
}

function readsOf(text: string): number {
  const reads = Number(text);
  if (Number.isInteger(reads) && reads > 0) return reads;
  throw new Error('--reads takes a whole number over 0');
}
