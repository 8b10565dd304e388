/**
 * Measures the gain of a filer's and an S3 gateway's users: GETs of files through both, in a cluster whose volume server stands
 * behind the proxy and in one without. Prints one JSON document, progress to stderr. Argument: ClientsOptions as JSON.
 * `WEED_BIN` names the program of SeaweedFS.
 */
import { randomBytes } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { Cluster } from '../test/clients/cluster.ts';
import { putFile } from '../test/clients/filer-clients.ts';
import { bucket, createBucket, signingClient, startGateway } from '../test/clients/s3-clients.ts';
import {
  type ClientsCell,
  type Door,
  measureCells,
  type Stand,
  type Way,
} from './clients-cells.ts';

export interface ClientsOptions {
  /** A cell's length. */
  readonly seconds: number;
  readonly rounds: number;
  /** In bytes. */
  readonly sizes?: readonly number[];
  readonly connections?: readonly number[];
}

export interface ClientsDocument {
  readonly seconds: number;
  readonly rounds: number;
  readonly cells: readonly ClientsCell[];
}

const mebibyte = 1024 * 1024;
const defaultSizes = [mebibyte / 16, mebibyte, 4 * mebibyte];
const defaultConnections = [1, 8];
/** All of them stay in the proxy's cache. */
const filerBytes = 32 * mebibyte;
const filerFilesMax = 64;
/** The gateway keeps the last 256 chunks that it read in its own memory; asked in turn, these are never among them. */
const objects = 272;

const options = JSON.parse(process.argv[2] ?? '') as ClientsOptions;
const weed = process.env['WEED_BIN'] ?? '';
const sizes = options.sizes ?? defaultSizes;
const clusters: Cluster[] = [];
// The process that started this one is gone.
process.once('disconnect', () => process.exit(1));
process.channel?.unref();

try {
  if (weed === '') throw new Error('WEED_BIN names no SeaweedFS program');
  const stands = [await stand('direct'), await stand('proxied')];
  const connections = options.connections ?? defaultConnections;
  const { seconds, rounds } = options;
  const cells = await measureCells(stands, { sizes, connections, seconds, rounds, say });
  const document: ClientsDocument = { seconds, rounds, cells };
  console.log(JSON.stringify(document, undefined, 1));
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  for (const cluster of clusters) await cluster.close();
}

/** A cluster with files of all sizes, in its filer and in a bucket. */
async function stand(way: Way): Promise<Stand> {
  say(`starting a cluster, ${way}`);
  const cluster = await Cluster.start({
    weed,
    front: way === 'direct' ? 'volume-server' : 'proxy',
    cacheSize: '256MiB',
    memorySize: '512MiB',
  });
  clusters.push(cluster);
  const filer = await cluster.startFiler();
  const gateway = await startGateway(cluster, filer);
  const client = signingClient(gateway);
  await createBucket(client);
  const paths: Record<Door, Map<number, readonly string[]>> = { filer: new Map(), s3: new Map() };
  for (const bytes of sizes) {
    const files = namesOf(bytes, filesOf(bytes));
    for (const name of files) await putFile(filer, `/bench/${name}`, randomBytes(bytes));
    const keys = namesOf(bytes, objects);
    for (const Key of keys) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: randomBytes(bytes) }));
    }
    paths.filer.set(
      bytes,
      files.map((name) => `/bench/${name}`),
    );
    paths.s3.set(
      bytes,
      keys.map((name) => `/${bucket}/${name}`),
    );
  }
  client.destroy();
  const { volumeServer, target, proxy } = cluster.pids;
  return {
    way,
    ports: { filer: filer.port, s3: gateway.port },
    paths,
    pids: { 'volume server': volumeServer, target, proxy, filer: filer.pid, S3: gateway.pid },
    admin: way === 'proxied' ? cluster.admin : undefined,
  };
}

function namesOf(bytes: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${bytes}-${index}.bin`);
}

function filesOf(bytes: number): number {
  return Math.max(2, Math.min(filerFilesMax, Math.floor(filerBytes / bytes)));
}

function say(step: string): void {
  process.stderr.write(`bench: ${step}\n`);
}
