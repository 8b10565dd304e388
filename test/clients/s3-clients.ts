/** The S3 gateway, asked by Amazon's own SDK with signed requests, and without any signature. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { answers } from '../../bench/programs.ts';
import type { Cluster, Filer } from './cluster.ts';
import {
  type Content,
  largeFiles,
  mustEqual,
  randomPlaces,
  smallFiles,
  textFile,
} from './contents.ts';
import { forEachOf } from './filer-clients.ts';
import { pairedPorts } from './paired-ports.ts';
import type { RealClient } from './real-client.ts';

const accessKeyId = 'reader';
const secretAccessKey = 'reads-and-writes';
export const bucket = 'pictures';
const partBytes = 6 * 1024 * 1024;
const randomReads = 40;

export interface Gateway {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
}

/** Everybody may read; who signs may do all. */
export async function startGateway(cluster: Cluster, filer: Filer): Promise<Gateway> {
  const [port = 0] = await pairedPorts(1);
  const identities = [
    {
      name: accessKeyId,
      credentials: [{ accessKey: accessKeyId, secretKey: secretAccessKey }],
      actions: ['Admin', 'Read', 'Write', 'List', 'Tagging'],
    },
    { name: 'anonymous', actions: ['Read'] },
  ];
  const config = join(cluster.folder, `s3-${port}.json`);
  writeFileSync(config, JSON.stringify({ identities }));
  const gateway = cluster.run([
    ...['s3', `-filer=127.0.0.1:${filer.port}`, '-ip.bind=127.0.0.1', `-port=${port}`],
    ...['-port.iceberg=0', '-port.lance=0', `-config=${config}`],
    `-localSocket=${join(cluster.folder, `s3-${port}.sock`)}`,
  ]);
  const url = `http://127.0.0.1:${port}`;
  await gateway.until(() => answers(`${url}/healthz`));
  return { port, url, pid: gateway.pid };
}

export function signingClient({ url }: Gateway): S3Client {
  return new S3Client({
    endpoint: url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
}

export async function createBucket(client: S3Client): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
}

/** Puts objects, one of them in parts and one as a copy, and gets them whole, by ranges and in random places. */
export class S3Objects implements RealClient {
  readonly name = 'S3 gateway, signed and anonymous';
  readonly #small = smallFiles(30);
  readonly #large: readonly Content[];
  readonly #parts: Content;
  readonly #filer: () => Filer;
  #gateway: Gateway | undefined;

  constructor(filer: () => Filer, megabytes: readonly number[] = [1, 5, 40]) {
    this.#filer = filer;
    this.#large = [...largeFiles(megabytes), textFile()];
    this.#parts = { name: 'parts.bin', bytes: largeFiles([20])[0]?.bytes as Buffer };
  }

  async prepare(cluster: Cluster): Promise<void> {
    this.#gateway = await startGateway(cluster, this.#filer());
    const client = signingClient(this.#gateway);
    await createBucket(client);
    for (const { name, bytes } of [...this.#small, ...this.#large]) {
      await client.send(new PutObjectCommand({ Bucket: bucket, Key: name, Body: bytes }));
    }
    await putInParts(client, this.#parts);
  }

  async read(_cluster: Cluster, pass: number): Promise<void> {
    const gateway = this.#gateway as Gateway;
    const client = signingClient(gateway);
    await forEachOf([...this.#small, ...this.#large, this.#parts], async ({ name, bytes }) => {
      mustEqual(name, await getObject(client, name), bytes);
    });
    await forEachOf(this.#small, async ({ name, bytes }) => {
      const answer = await fetch(`${gateway.url}/${bucket}/${name}`);
      mustEqual(`${name}, unsigned`, Buffer.from(await answer.arrayBuffer()), bytes);
    });
    for (const content of [this.#large.at(-2) as Content, this.#parts]) {
      await forEachOf(randomPlaces(content, randomReads, 4_096), async ({ from, to }) => {
        const got = await getObject(client, content.name, `bytes=${from}-${to - 1}`);
        mustEqual(`${content.name} from ${from}`, got, content.bytes.subarray(from, to));
      });
    }
    await readCopy(client, this.#large[1] as Content, pass);
  }
}

async function getObject(client: S3Client, name: string, range?: string): Promise<Buffer> {
  const asked = { Bucket: bucket, Key: name, ...(range === undefined ? {} : { Range: range }) };
  const { Body: body } = await client.send(new GetObjectCommand(asked));
  return Buffer.from((await body?.transformToByteArray()) ?? []);
}

async function putInParts(client: S3Client, { name, bytes }: Content): Promise<void> {
  const place = { Bucket: bucket, Key: name };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(place));
  const Parts = [];
  for (let from = 0, number = 1; from < bytes.length; from += partBytes, number += 1) {
    const Body = bytes.subarray(from, from + partBytes);
    const part = { ...place, UploadId, PartNumber: number, Body };
    const { ETag } = await client.send(new UploadPartCommand(part));
    Parts.push({ ETag, PartNumber: number });
  }
  const MultipartUpload = { Parts };
  await client.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload }));
}

/** The gateway reads the chunks of a copy itself. */
async function readCopy(client: S3Client, { name, bytes }: Content, pass: number): Promise<void> {
  const Key = `copy-${pass}-${name}`;
  const CopySource = `${bucket}/${name}`;
  await client.send(new CopyObjectCommand({ Bucket: bucket, Key, CopySource }));
  mustEqual(Key, await getObject(client, Key), bytes);
}
