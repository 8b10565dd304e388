/**
 * Plays the volume server over volumes that a test writes to: answers reads as an origin does, takes POST, PUT and DELETE,
 * and acknowledges when the writer has returned, as the real one does. Its writer may be used beside it: that is another
 * client's write, which no proxy sees.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startOrigin } from '../../src/origin/origin-server.ts';
import type { Ttl } from '../../src/rdma/volume-files.ts';
import { type Fields, SampleVolume } from '../contract/sample-volume.ts';

export interface TestVolumeServer {
  readonly url: string;
  readonly port: number;
  readonly volumes: ReadonlyMap<number, SampleVolume>;
  /** Called within each write, before it is acknowledged. */
  onWritten: (volumeId: number, needleId: bigint, etag: string) => void;
  /** The next POST, PUT or DELETE over HTTP waits before it is done. */
  holdNextChange(): HeldChange;
  put(volumeId: number, needleId: bigint, data: Uint8Array, fields?: Fields): void;
  delete(volumeId: number, needleId: bigint): void;
  /** A new volume; listed when the directories are looked at next, within two seconds. */
  create(volumeId: number, options?: { readonly dir?: string; readonly ttl?: Ttl }): SampleVolume;
  /** Another writer for a volume, or one for a volume that came with its files. */
  adopt(volumeId: number, volume: SampleVolume): void;
  /** The volume is at another volume server now: reads of it are asked there, as the real one does by default. */
  forwardReads(volumeId: number, url: string): void;
  /** Neither listed nor answered any more; the files stay. */
  unmount(volumeId: number): void;
  mount(volumeId: number): void;
  close(): Promise<void>;
}

export interface HeldChange {
  /** Resolves when the request is there. */
  readonly arrived: Promise<void>;
  release(): void;
}

export interface TestVolumeServerOptions {
  /** At least one. */
  readonly dirs: readonly string[];
  /** Created in the first one, empty. */
  readonly volumeIds: readonly number[];
}

export async function startVolumeServer(
  options: TestVolumeServerOptions,
): Promise<TestVolumeServer> {
  const { dirs, volumeIds } = options;
  const served = new VolumeServer(dirs[0] as string);
  for (const volumeId of volumeIds) served.create(volumeId);
  const listen = { host: '127.0.0.1', port: 0 };
  const origin = await startOrigin({ dirs, listen, logger: { info: () => undefined } });
  served.origin = new URL(origin.url);
  const server = createServer((asked, answer) => served.handle(asked, answer));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  served.url = `http://127.0.0.1:${port}`;
  served.port = port;
  served.close = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
    served.agent.destroy();
    await origin.close();
    for (const volume of served.volumes.values()) volume.close();
  };
  return served;
}

const needlePath = /^\/(\d+)[,/]([0-9a-f]{9,24})(?:[./?]|$)/;

class VolumeServer implements TestVolumeServer {
  readonly volumes: Map<number, SampleVolume> = new Map();
  readonly agent: Agent = new Agent({ keepAlive: true });
  url = '';
  port = 0;
  onWritten: TestVolumeServer['onWritten'] = () => undefined;
  close: () => Promise<void> = async () => undefined;
  origin: URL = new URL('http://127.0.0.1');
  readonly #dir: string;
  readonly #elsewhere = new Map<number, URL>();
  readonly #unmounted = new Set<number>();
  #nextChange: { arrived: () => void; released: Promise<void> } | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  create(
    volumeId: number,
    { dir = this.#dir, ttl }: { readonly dir?: string; readonly ttl?: Ttl } = {},
  ): SampleVolume {
    const volume = new SampleVolume(dir, volumeId, '', ttl);
    this.volumes.set(volumeId, volume);
    return volume;
  }

  holdNextChange(): HeldChange {
    const arrived = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#nextChange = { arrived: arrived.resolve, released: released.promise };
    return { arrived: arrived.promise, release: released.resolve };
  }

  adopt(volumeId: number, volume: SampleVolume): void {
    this.volumes.set(volumeId, volume);
  }

  forwardReads(volumeId: number, url: string): void {
    this.#elsewhere.set(volumeId, new URL(url));
  }

  put(volumeId: number, needleId: bigint, data: Uint8Array, fields: Fields = {}): void {
    this.onWritten(volumeId, needleId, this.#volume(volumeId).put(needleId, data, fields));
  }

  delete(volumeId: number, needleId: bigint): void {
    this.#volume(volumeId).delete(needleId);
  }

  unmount(volumeId: number): void {
    this.#unmounted.add(volumeId);
  }

  mount(volumeId: number): void {
    this.#unmounted.delete(volumeId);
  }

  handle(asked: IncomingMessage, answer: ServerResponse): void {
    const named = needlePath.exec(asked.url ?? '');
    const volumeId = Number(named?.[1] ?? 0);
    const needleId = BigInt(`0x${named?.[2]?.slice(0, -8) ?? 0}`);
    if (this.#unmounted.has(volumeId)) {
      asked.resume();
      answer.writeHead(404, { 'Content-Length': 0 }).end();
    } else if (asked.method === 'GET' || asked.method === 'HEAD') {
      asked.resume();
      this.#forward(asked, answer, this.#elsewhere.get(volumeId) ?? this.origin);
    } else if (named === null) {
      asked.resume();
      answer.writeHead(400, { 'Content-Length': 0 }).end();
    } else {
      this.#change(asked, answer, volumeId, needleId);
    }
  }

  #change(
    asked: IncomingMessage,
    answer: ServerResponse,
    volumeId: number,
    needleId: bigint,
  ): void {
    const chunks: Buffer[] = [];
    asked.on('data', (chunk: Buffer) => chunks.push(chunk));
    asked.on('end', () => {
      const held = this.#nextChange;
      this.#nextChange = undefined;
      held?.arrived();
      void (held?.released ?? Promise.resolve()).then(() => {
        if (asked.method === 'DELETE') {
          this.delete(volumeId, needleId);
          writeJson(answer, 202, { size: 0 });
          return;
        }
        const data = Buffer.concat(chunks);
        this.put(volumeId, needleId, data, fieldsOf(asked));
        writeJson(answer, 201, { size: data.length });
      });
    });
  }

  /** An origin takes no writes; its answers pass as they are, except for what is not mounted any more. */
  #forward(asked: IncomingMessage, answer: ServerResponse, to: URL): void {
    const headers = asked.rawHeaders;
    const { method, url: path } = asked;
    const { hostname, port } = to;
    const isStatus = path?.startsWith('/status') === true && this.#unmounted.size > 0;
    const options = { agent: this.agent, hostname, port, method, path };
    const inner = request({ ...options, headers }, (found) => {
      if (isStatus) {
        this.#forwardStatus(found, answer);
        return;
      }
      // What Node would add is no part of a volume server's answer.
      answer.sendDate = false;
      answer.removeHeader('Connection');
      answer.writeHead(found.statusCode ?? 500, found.statusMessage ?? '', found.rawHeaders);
      found.pipe(answer);
    });
    inner.on('error', () => answer.destroy());
    answer.on('close', () => inner.destroy());
    inner.end();
  }

  #forwardStatus(found: IncomingMessage, answer: ServerResponse): void {
    let text = '';
    found.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    found.on('end', () => {
      const status = JSON.parse(text) as { Volumes: { Id: number }[] | null };
      const Volumes = status.Volumes?.filter(({ Id }) => !this.#unmounted.has(Id)) ?? [];
      writeJson(answer, 200, { ...status, Volumes });
    });
  }

  #volume(volumeId: number): SampleVolume {
    const volume = this.volumes.get(volumeId);
    if (volume === undefined) throw new RangeError(`there is no volume ${volumeId}`);
    return volume;
  }
}

function fieldsOf({ headers }: IncomingMessage): Fields {
  const mime = headers['content-type'];
  const compressed = headers['content-encoding'] === 'gzip';
  return { compressed, ...(mime === undefined ? {} : { mime }) };
}

function writeJson(answer: ServerResponse, status: number, value: object): void {
  const text = JSON.stringify(value);
  answer.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': text.length });
  answer.end(text);
}
