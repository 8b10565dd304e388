/** A volume server and a proxy with a sidecar as processes, on needles of every kind that matters to a mount. */
import { mkdirSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { type Role, startRole } from './program.ts';
import type { Scratch } from './scratch.ts';

export const volumeId = 3;
export const cookie = 0x00c0_ffee;

export interface StoredNeedle {
  readonly fid: string;
  /** Decoded. */
  readonly bytes: Buffer;
}

export type NeedleName =
  | 'small'
  | 'plain'
  | 'gzip'
  | 'large'
  | 'chunk'
  | 'empty'
  | 'list'
  | 'deleted';

/** No two stretches alike, and worth compressing. */
function textOf(length: number): Buffer {
  let text = '';
  for (let line = 0; text.length < length; line += 1) text += `line ${line * 7919}\n`;
  return Buffer.from(text.slice(0, length), 'latin1');
}

function noiseOf(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 12345;
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** filer_pb.FileChunkManifest of `count` chunks of 8 MiB, as a filer stores it. */
export function chunkList(count: number): Buffer {
  const chunks = Array.from({ length: count }, (_, index) => {
    const id = Buffer.concat([tagged(1, varint(3)), tagged(2, varint(1000 + index))]);
    const cookieBytes = Buffer.from([0x1d, 1, 2, 3, 4]);
    const chunk = Buffer.concat([
      ...(index === 0 ? [] : [tagged(2, varint(index * 2 ** 23))]),
      tagged(3, varint(2 ** 23)),
      tagged(4, varint(1_700_000_000_000)),
      bytesField(5, Buffer.from('0123456789abcdef')),
      bytesField(7, Buffer.concat([id, cookieBytes])),
    ]);
    return bytesField(1, chunk);
  });
  return Buffer.concat(chunks);
}

function tagged(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(field * 8), value]);
}

function bytesField(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Buffer.from([...bytes, rest]);
}

const contents: Readonly<Record<NeedleName, Buffer>> = {
  small: noiseOf(10),
  plain: noiseOf(700_001),
  gzip: textOf(900_000),
  large: noiseOf(5 * 1024 * 1024 + 17),
  chunk: noiseOf(4 * 1024 * 1024),
  empty: Buffer.alloc(0),
  list: chunkList(1_000),
  deleted: noiseOf(100),
};

export type Needles = Readonly<Record<NeedleName, StoredNeedle>>;

/** Written to `dir`. */
export function fillVolume(dir: string): Needles {
  mkdirSync(dir, { recursive: true });
  using volume = createVolume({ dir, volumeId });
  const needles: Partial<Record<NeedleName, StoredNeedle>> = {};
  let needleId = 1n;
  for (const [name, bytes] of Object.entries(contents) as [NeedleName, Buffer][]) {
    const isGzip = name === 'gzip';
    const data = isGzip ? gzipSync(bytes) : bytes;
    volume.append({
      needleId,
      cookie,
      data,
      compressed: isGzip,
      name: name === 'plain' ? 'a.odd' : '',
    });
    needles[name] = { fid: formatFid(volumeId, needleId, cookie), bytes };
    if (name === 'deleted') volume.delete(needleId);
    needleId += 1n;
  }
  return needles as Needles;
}

export interface SidecarStage {
  readonly needles: Needles;
  /** Of the volume server. */
  readonly upstream: string;
  readonly origin: Role;
  readonly proxy: Role;
  /** http://host:port of the sidecar's listener, and of the admin listener. */
  readonly sidecar: string;
  readonly admin: string;
}

export interface StageOptions {
  readonly transport: 'inproc' | 'ucx';
  /** Below [sidecar]. */
  readonly sidecar?: string;
  /** Below [rdma], and sections. */
  readonly rdma?: string;
  readonly seaweedfs?: string;
  readonly sections?: string;
  /** In place of what the transport needs below [rdma]. */
  readonly fabric?: string;
  /** False: nothing is served from the fabric; default true. */
  readonly isFast?: boolean;
}

const adminSection = '[admin]\nlisten = "127.0.0.1:0"\n';

export async function startSidecarStage(
  scratch: Scratch,
  options: StageOptions,
): Promise<SidecarStage> {
  const name = `stage-${Math.random().toString(36).slice(2)}`;
  const dir = join(scratch.folder, name);
  const needles = fillVolume(dir);
  const origin = startRole(['origin', '--dir', dir, '--listen', '127.0.0.1:0']);
  const upstream = `http://${(await origin.ready())['http']}`;
  const fabric =
    options.fabric ??
    (options.transport === 'inproc' ? inproc(dir) : await ucx(scratch, dir, upstream));
  const config = `[http]
listen = "127.0.0.1:0"
[seaweedfs]
volume_server_url = "${upstream}"
${options.seaweedfs ?? ''}
[rdma]
${fabric}
${options.rdma ?? ''}
[memory]
size = "64MiB"
hugepages = "off"
[sidecar]
listen = "127.0.0.1:0"
${options.sidecar ?? ''}
${options.sections ?? ''}
${adminSection}`;
  const proxy = startRole(['proxy', '--config', scratch.write(`${name}.toml`, config)]);
  const ready = await proxy.ready();
  const stage = {
    needles,
    upstream,
    origin,
    proxy,
    sidecar: `http://${ready['sidecar']}`,
    admin: `http://${ready['admin']}`,
  };
  if (options.isFast ?? true) await whenConfirmed(stage);
  return stage;
}

function inproc(dir: string): string {
  return `transport = "inproc"\ndirs = ["${dir}"]`;
}

async function ucx(scratch: Scratch, dir: string, upstream: string): Promise<string> {
  const config = `[rdma]
port = 0
buffer_size = "64MiB"
[target]
dirs = ["${dir}"]
volume_server_url = "${upstream}"
${adminSection}`;
  const file = scratch.write(`target-${Math.random()}.toml`, config);
  const target = startRole(['target', '--config', file]);
  return `target = "${(await target.ready())['rdma']}"`;
}

interface HealthPage {
  readonly checks: Readonly<
    Record<string, { readonly volumesConfirmed?: number; readonly server?: string | null }>
  >;
}

/** Until the volume is served from the fabric. */
async function whenConfirmed({ admin }: SidecarStage): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    const page = (await (await fetch(`${admin}/health`)).json()) as HealthPage;
    const checks = Object.values(page.checks);
    const isServed = checks.some(({ volumesConfirmed }) => volumesConfirmed === 1);
    if (isServed && checks.some(({ server }) => typeof server === 'string')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the volume was never served');
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** With any method, path and headers, as they are given. */
export function ask(
  base: string,
  path: string,
  { method = 'GET', headers = {}, body = '' }: AskOptions = {},
): Promise<Answer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const { statusCode: status = 0, headers: answered } = answer;
        resolve({ status, headers: answered, body: Buffer.concat(chunks) });
      });
    });
    asked.on('error', reject).end(body);
  });
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The mount's own request. */
export function mountRead(stage: SidecarStage, fid: string, offset = 0, size = 0): Promise<Answer> {
  const query = `file_id=${fid}&offset=${offset}&size=${size}&volume_server=${stage.upstream}`;
  return ask(stage.sidecar, `/read?${query}`);
}

export async function metrics(admin: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** Of every series of one metric whose labels hold this text. */
export function sumOf(values: ReadonlyMap<string, number>, name: string, label = ''): number {
  let sum = 0;
  for (const [series, value] of values) {
    if (series.startsWith(`${name}{`) && series.includes(label)) sum += value;
    else if (series === name) sum += value;
  }
  return sum;
}
