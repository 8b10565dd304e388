/** The real clients, as each suite and the recording run them. */
import { ChunkedFiles } from './chunked-files.ts';
import type { Filer } from './cluster.ts';
import { Benchmark, FilerCopy, FilerSync, ShellCat, UploadDownload } from './command-clients.ts';
import { FilerGet } from './filer-clients.ts';
import { Mount, mountHindrance } from './mount-clients.ts';
import type { RealClient } from './real-client.ts';
import { S3Objects } from './s3-clients.ts';

export interface ClientToRun {
  readonly client: RealClient;
  /** Why it cannot run here; undefined: it can. */
  readonly hindrance?: string | undefined;
}

const hindrance = mountHindrance();

/** Those of a cluster whose reads need no token. `filer` is the one that they have in common. */
export function clientsWithoutTokens(filer: () => Filer): readonly ClientToRun[] {
  return [
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
  ];
}

export const readKey = 'a read key that is long enough';

/**
 * Those that sign their reads. `weed download`, `weed benchmark` and `filer.sync` by itself send no token: a cluster with
 * a read key refuses them, with and without a proxy.
 */
export function clientsWithTokens(filer: () => Filer): readonly ClientToRun[] {
  return [
    { client: new FilerGet({ megabytes: [5] }) },
    { client: new ChunkedFiles(filer) },
    { client: new S3Objects(filer, [5]) },
    { client: new Mount(filer, 'direct', [5]), hindrance },
    { client: new Mount(filer, 'filerProxy', [5]), hindrance },
    { client: new ShellCat(filer) },
    { client: new FilerSync(filer, { isProxiedByFiler: true }) },
  ];
}
