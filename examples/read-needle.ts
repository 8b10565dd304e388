/**
 * Reads needles from targets over RDMA, shared memory or TCP, and writes their bytes to standard output:
 *
 *     node examples/read-needle.ts --target 127.0.0.1:18515 [--secret-file FILE] FID…
 *
 * It takes Node 22.18 or later: in a checkout node_modules/.bin/node.
 *
 * With --dir DIR in place of --target this process reads a volume server's directory itself.
 */
import { parseArgs } from 'node:util';
import { connect, type NeedleClient, NeedleReadError } from 'seaweed-rdma';

const { values, positionals: fids } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', multiple: true },
    dir: { type: 'string', multiple: true },
    'secret-file': { type: 'string' },
  },
});

await using client = await connect(
  values.dir === undefined
    ? { targets: values.target ?? [], secretFile: values['secret-file'], timeoutMs: 5_000 }
    : { dirs: values.dir, timeoutMs: 5_000 },
);

for (const fid of fids) {
  try {
    await writeNeedle(client, fid);
  } catch (error) {
    if (!(error instanceof NeedleReadError)) throw error;
    // What this client cannot have, a volume server may: that is what a program would do here.
    const advice = error.retryable ? 'try again, or ask the volume server' : error.fault;
    console.error(`${fid}: ${error.status} (${advice})`);
    process.exitCode = 1;
  }
}

async function writeNeedle(from: NeedleClient, fid: string): Promise<void> {
  // Released at the end of this block: by then the bytes are with the kernel.
  using content = await from.readNeedle({ fid, decode: true, signal: AbortSignal.timeout(10_000) });
  const { name, mime, lastModified } = content.needle;
  const facts = [name, mime, lastModified?.toISOString(), `${content.bytes.length} bytes`];
  console.error(`${fid}: ${facts.filter(Boolean).join(', ')} over ${content.transport}`);
  const written = Promise.withResolvers<void>();
  process.stdout.write(content.bytes, (error) => {
    if (error) written.reject(error);
    else written.resolve();
  });
  await written.promise;
}
