/** A volume on disk, an origin before it, and the proxy in front of that: what recorded requests are replayed against. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { textFile } from './contents.ts';

export interface StoredNeedle {
  readonly what: string;
  readonly fid: string;
  /** Of the needle before it. */
  readonly base: string;
  readonly plain: Buffer;
  /** What lies in the volume where that is gzip. */
  readonly gzip: Buffer | undefined;
}

const cookie = 0x1234abcd;
const volumeId = 3;

export class ReplayStage {
  readonly needles: readonly StoredNeedle[];
  readonly #folder: string;
  readonly #roles: readonly RoleProcess[];
  readonly #proxy: RoleProcess;
  readonly #origin: RoleProcess;

  private constructor(
    folder: string,
    needles: readonly StoredNeedle[],
    origin: RoleProcess,
    proxy: RoleProcess,
  ) {
    this.#folder = folder;
    this.needles = needles;
    this.#origin = origin;
    this.#proxy = proxy;
    this.#roles = [proxy, origin];
  }

  /** With a read key the proxy asks for tokens. */
  static async start(readKey: string): Promise<ReplayStage> {
    const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-replay-'));
    const data = join(folder, 'data');
    mkdirSync(data);
    const needles = writeNeedles(data);
    const security = join(folder, 'security.toml');
    writeFileSync(security, readKey === '' ? '' : `[jwt.signing.read]\nkey = "${readKey}"\n`);
    const origin = await startRole('origin', { args: ['--dir', data, '--listen', '127.0.0.1:0'] });
    const config = proxyConfig(data, String(origin.bound['http']), security);
    const proxy = await startRole('proxy', { config });
    return new ReplayStage(folder, needles, origin, proxy);
  }

  get proxyPort(): number {
    return portOf(this.#proxy);
  }

  get originPort(): number {
    return portOf(this.#origin);
  }

  async close(): Promise<void> {
    for (const role of this.#roles) await role.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function portOf({ bound }: RoleProcess): number {
  return Number(String(bound['http']).split(':').at(-1));
}

/** As filers write chunks: without a name or with the file's, compressed or not. */
function writeNeedles(dir: string): readonly StoredNeedle[] {
  const text = textFile(60_000).bytes;
  const contents = [
    { what: 'a small chunk', plain: randomBytes(700), name: '' },
    { what: 'a chunk of 2 MiB', plain: randomBytes(2 << 20), name: '' },
    { what: 'a chunk of a picture', plain: randomBytes(90_000), name: 'a.jpg', mime: 'image/jpeg' },
    { what: 'compressed text', plain: text, gzip: gzipSync(text), name: '', mime: 'text/plain' },
  ];
  using volume = createVolume({ dir, volumeId });
  return contents.map(({ what, plain, gzip, name, mime = '' }, index) => {
    const needleId = BigInt(index * 10 + 5);
    volume.append({
      ...{ needleId, cookie, data: gzip ?? plain, name, mime, compressed: gzip !== undefined },
      lastModifiedSeconds: 1_700_000_000 + index,
    });
    const [fid, base] = [needleId, needleId - 1n].map((id) => formatFid(volumeId, id, cookie));
    return { what, fid: fid as string, base: base as string, plain, gzip };
  });
}

function proxyConfig(data: string, origin: string, security: string): string {
  return `
[http]
listen = "127.0.0.1:0"
debug_headers = true
[seaweedfs]
volume_server_url = "http://${origin}"
security_toml = "${security}"
[rdma]
transport = "inproc"
dirs = ["${data}"]
[cache]
size = "32MiB"
[memory]
size = "96MiB"
hugepages = "off"
[admin]
listen = "127.0.0.1:0"
`;
}
