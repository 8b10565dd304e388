/** Every real client, in front of the volume server of `weed`. */
import { describe } from 'vitest';
import { ChunkedFiles } from './chunked-files.ts';
import { Benchmark, FilerCopy, FilerSync, ShellCat, UploadDownload } from './command-clients.ts';
import { FilerGet } from './filer-clients.ts';
import { Mount, mountHindrance } from './mount-clients.ts';
import { runClients } from './run-clients.ts';
import { S3Objects } from './s3-clients.ts';

const hindrance = mountHindrance();

describe('clients of a volume server', () => {
  runClients('volume server in Go', {}, (filer) => [
    { client: new FilerGet() },
    { client: new FilerGet({ isEncrypting: true, megabytes: [9] }) },
    { client: new ChunkedFiles(filer) },
    { client: new S3Objects(filer) },
    { client: new Mount(filer), hindrance },
    { client: new Mount(filer, 'publicUrl', [5]), hindrance },
    { client: new Mount(filer, 'filerProxy', [5]), hindrance },
    { client: new UploadDownload() },
    { client: new Benchmark() },
    { client: new FilerCopy(filer) },
    { client: new ShellCat(filer) },
    { client: new FilerSync(filer) },
  ]);
});

describe('clients that sign their reads', () => {
  const readKey = 'a read key that is long enough';
  // `weed download` and `weed benchmark` send no token: a cluster with a read key refuses them, with and without a proxy.
  runClients('volume server in Go, jwt.signing.read', { readKey }, (filer) => [
    { client: new FilerGet({ megabytes: [5] }) },
    { client: new ChunkedFiles(filer) },
    { client: new S3Objects(filer, [5]) },
    { client: new Mount(filer, 'direct', [5]), hindrance },
    { client: new Mount(filer, 'filerProxy', [5]), hindrance },
    { client: new ShellCat(filer) },
    { client: new FilerSync(filer, { isProxiedByFiler: true }) },
  ]);
});
