/** The implementations of the port that the contract suite is run against, each over a directory of volumes. */
import type { NeedleFetcher, ReadCommand } from '../../src/rdma/needle-fetcher.ts';
import { createRdmaClient, type RdmaClient } from '../../src/rdma/rdma-client.ts';
import { startTargetHost, type TargetHostOptions } from '../../src/rdma/target-host.ts';
import { mebibyte, volumeId } from './client-rig.ts';

export interface Subject {
  readonly client: RdmaClient;
  readonly fetcher: NeedleFetcher;
  close(): Promise<void>;
}

export interface SubjectOptions {
  readonly dir: string;
  /** Of the fetching side. */
  readonly arenaBytes: number;
}

export interface SubjectKind {
  readonly name: string;
  /** The fetcher is connecting still. */
  open(options: SubjectOptions): Promise<Subject>;
}

/** The address of a network interface with an RDMA device: with it, verbs are tested instead of all else (test/verbs). */
const verbsAddress = process.env['SEAWEED_RDMA_VERBS_ADDRESS'];

const plainKinds: readonly SubjectKind[] = [
  { name: 'inproc', open: openInproc },
  { name: 'ucx-shm', open: (options) => openUcx(options, 'tcp,posix,sysv,cma,self') },
  { name: 'ucx-tcp', open: (options) => openUcx(options, 'tcp,self') },
  { name: 'tcp', open: (options) => openTarget(options, { transport: 'tcp', isTlsOff: true }) },
  { name: 'tls', open: (options) => openTarget(options, { transport: 'tcp' }) },
];

const verbsKinds: readonly SubjectKind[] = [
  { name: 'rc_verbs', open: (options) => openVerbs(options, 'rc') },
];

export const subjectKinds: readonly SubjectKind[] =
  verbsAddress === undefined ? plainKinds : verbsKinds;

async function openInproc({ dir, arenaBytes }: SubjectOptions): Promise<Subject> {
  const client = createRdmaClient({
    kind: 'inproc',
    dirs: [dir],
    unconfirmed: true,
    arenaBytes,
    hugepages: 'try',
  });
  return { client, fetcher: client.inproc(), close: () => client.close() };
}

function openUcx(options: SubjectOptions, tls: string): Promise<Subject> {
  return openTarget(options, { deviceName: 'lo', tls });
}

/** Emulated processors are slow. */
function openVerbs(options: SubjectOptions, tls: string): Promise<Subject> {
  return openTarget(options, { tls }, { host: verbsAddress as string, patienceMs: 60_000 });
}

const loopback = { host: '127.0.0.1', patienceMs: 5_000 };

async function openTarget(
  { dir, arenaBytes }: SubjectOptions,
  fabric: Pick<TargetHostOptions, 'transport' | 'isTlsOff' | 'deviceName' | 'tls'>,
  place: typeof loopback = loopback,
): Promise<Subject> {
  const host = await startTargetHost({
    host: place.host,
    port: 0,
    handshakeTimeoutMs: place.patienceMs,
    secret: 'contract',
    dirs: [dir],
    unconfirmed: true,
    arenaBytes: 256 * 1024 * 1024,
    hugepages: 'try',
    ...fabric,
  });
  const client = createRdmaClient({
    kind: 'ucx',
    arenaBytes,
    hugepages: 'try',
    ...fabric,
  });
  const address = {
    host: place.host,
    port: host.port,
    secret: 'contract',
    connectTimeoutMs: place.patienceMs,
  };
  return {
    client,
    fetcher: client.addTarget(address),
    async close(): Promise<void> {
      await client.close();
      await host.stop(1_000);
    },
  };
}

/** Reads a whole needle of the volume, unless `change` says else. */
export function readOf(needleId: bigint, change: Partial<ReadCommand> = {}): ReadCommand {
  return {
    volumeId,
    needleId,
    cookie: 1,
    offset: 0,
    length: 64 * mebibyte,
    wholeBytesMax: 64 * mebibyte,
    budgetBytes: 64 * mebibyte,
    metadataOnly: false,
    timeoutMs: 10_000,
    ...change,
  };
}

/** Resolves as soon as `isTrue` holds; asked again after each change of the fetcher. */
export function when(fetcher: NeedleFetcher, isTrue: () => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = (): void => {
    if (isTrue()) resolve();
  };
  fetcher.onChange(check);
  check();
  return promise;
}

/** Resolves when the fetcher is up and `volumeId` may be read. */
export function whenServed(fetcher: NeedleFetcher, volumeId: number): Promise<void> {
  return when(fetcher, () => fetcher.volumes.get(volumeId)?.confirmed === true);
}
