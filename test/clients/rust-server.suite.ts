/** The same clients in front of SeaweedFS's volume server in Rust, where `WEED_VOLUME_RUST` names its program. */
import { describe } from 'vitest';
import { ChunkedFiles } from './chunked-files.ts';
import { Benchmark, FilerCopy, FilerSync, ShellCat, UploadDownload } from './command-clients.ts';
import { FilerGet } from './filer-clients.ts';
import { Mount, mountHindrance } from './mount-clients.ts';
import { runClients, rustVolumeServer } from './run-clients.ts';
import { S3Objects } from './s3-clients.ts';

const hindrance = mountHindrance();
const why = 'WEED_VOLUME_RUST names no program';

describe.skipIf(rustVolumeServer === undefined)(
  `clients of the volume server in Rust${rustVolumeServer === undefined ? ` (${why})` : ''}`,
  () => {
    runClients('volume server in Rust', { rustVolumeServer }, (filer) => [
      { client: new FilerGet() },
      { client: new FilerGet({ isEncrypting: true, megabytes: [9] }) },
      { client: new ChunkedFiles(filer) },
      { client: new S3Objects(filer) },
      { client: new Mount(filer), hindrance },
      { client: new Mount(filer, 'filerProxy', [5]), hindrance },
      { client: new UploadDownload() },
      { client: new Benchmark() },
      { client: new FilerCopy(filer) },
      { client: new ShellCat(filer) },
      { client: new FilerSync(filer) },
    ]);
  },
);
