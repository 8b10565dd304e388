/** One range of a needle, read from the volume server over HTTP: decoded there, whole in memory before it is passed on. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { badAnswer, beyondTheEnd, refusal, type SidecarRefusal, tooLong } from './refusal.ts';

export interface VolumeServerRead {
  /** http://host:port. */
  readonly url: string;
  /** `<vid>,<fid>`. */
  readonly fid: string;
  readonly offset: number;
  /** undefined: to the end. */
  readonly size: number | undefined;
  /** The client's token, or one signed here. */
  readonly authorization: string | undefined;
  readonly signal: AbortSignal;
}

export interface ReadBytes {
  readonly kind: 'bytes';
  readonly bytes: Buffer;
  /** Size of the whole needle, decoded. */
  readonly totalBytes: number;
}

const connectionsMax = 256;
const errorTextBytesMax = 1_024;

export class VolumeServers {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: connectionsMax });
  readonly #bytesMax: number;
  readonly #timeoutMs: number;

  constructor(bytesMax: number, timeoutMs: number) {
    this.#bytesMax = bytesMax;
    this.#timeoutMs = timeoutMs;
  }

  async read(read: VolumeServerRead): Promise<ReadBytes | SidecarRefusal> {
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const signal = AbortSignal.any([read.signal, deadline]);
    try {
      const answer = await this.#ask(read, signal);
      return await this.#take(read, answer);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      if (!deadline.aborted) return badAnswer(`does not answer: ${cause}`);
      const text = `the volume server did not answer within ${this.#timeoutMs} ms (sidecar.http_timeout)`;
      return refusal(504, 'deadline', text);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #ask(read: VolumeServerRead, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, fid, authorization } = read;
    return new Promise((resolve, reject) => {
      const headers: Record<string, string> = { 'Accept-Encoding': 'identity' };
      const range = this.#range(read);
      if (range !== undefined) headers['Range'] = range;
      if (authorization !== undefined) headers['Authorization'] = authorization;
      const asked = request(`${url}/${fid}`, { agent: this.#agent, headers, signal });
      asked.on('response', resolve).on('error', (error: NodeJS.ErrnoException) => {
        // An idle connection may be closed while the next request is on its way: once more, on another one.
        const isStale = asked.reusedSocket && error.code === 'ECONNRESET' && !signal.aborted;
        if (isStale) resolve(this.#ask(read, signal));
        else reject(error);
      });
      asked.end();
    });
  }

  /** Never more than may be passed on, and one byte to see that there is more. */
  #range({ offset, size }: VolumeServerRead): string | undefined {
    if (offset === 0 && size === undefined) return undefined;
    return `bytes=${offset}-${offset + Math.min(size ?? Infinity, this.#bytesMax + 1) - 1}`;
  }

  async #take(
    read: VolumeServerRead,
    answer: IncomingMessage,
  ): Promise<ReadBytes | SidecarRefusal> {
    const { statusCode: status = 0, headers } = answer;
    if (status === 200 || status === 206) {
      const encoding = headers['content-encoding'] ?? 'identity';
      if (encoding !== 'identity') {
        answer.destroy();
        return badAnswer(`sent the needle in the coding "${encoding}", which was not asked for`);
      }
      return status === 200 ? this.#takeWhole(read, answer) : this.#takeRange(read, answer);
    }
    const text = (await collect(answer, errorTextBytesMax)).bytes.toString('latin1').trim();
    if (status === 416) return beyondTheEnd(read.offset, totalOf(headers['content-range']));
    if (status === 404) return refusal(404, 'not-found', `the volume server says 404: ${text}`);
    if (status === 401 || status === 403) {
      return refusal(status, 'auth', `the volume server says ${status}: ${text}`);
    }
    return badAnswer(`says ${status}: ${text}`);
  }

  async #takeWhole(
    { offset, size }: VolumeServerRead,
    answer: IncomingMessage,
  ): Promise<ReadBytes | SidecarRefusal> {
    const { bytes, isCut } = await collect(answer, this.#bytesMax);
    if (isCut) return tooLong(answer.headers['content-length'] ?? 'more', this.#bytesMax);
    const totalBytes = bytes.length;
    if (offset > 0 && offset >= totalBytes) return beyondTheEnd(offset, totalBytes);
    const end = size === undefined ? totalBytes : Math.min(offset + size, totalBytes);
    return { kind: 'bytes', bytes: bytes.subarray(offset, end), totalBytes };
  }

  async #takeRange(
    { offset, size }: VolumeServerRead,
    answer: IncomingMessage,
  ): Promise<ReadBytes | SidecarRefusal> {
    const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(
      answer.headers['content-range'] ?? '',
    );
    const [start, last, totalBytes] = (range ?? []).slice(1).map(Number) as [
      number,
      number,
      number,
    ];
    if (range === null || start !== offset) {
      answer.destroy();
      return badAnswer(`sent another range: ${answer.headers['content-range'] ?? 'none'}`);
    }
    const wanted = Math.min(size ?? totalBytes - offset, totalBytes - offset);
    if (wanted > this.#bytesMax) {
      answer.destroy();
      return tooLong(wanted, this.#bytesMax);
    }
    const { bytes } = await collect(answer, this.#bytesMax);
    if (bytes.length !== wanted || last !== offset + wanted - 1) {
      return badAnswer(`sent ${bytes.length} bytes where ${wanted} were asked for`);
    }
    return { kind: 'bytes', bytes, totalBytes };
  }
}

function totalOf(contentRange: string | undefined): number | undefined {
  const total = /\/(\d{1,15})$/.exec(contentRange ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Up to `bytesMax` of it. Throws where the answer is cut short. */
async function collect(
  answer: IncomingMessage,
  bytesMax: number,
): Promise<{ readonly bytes: Buffer; readonly isCut: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk.subarray(0, bytesMax - length));
    length += chunk.length;
    if (length > bytesMax) return { bytes: Buffer.concat(chunks), isCut: true };
  }
  return { bytes: Buffer.concat(chunks), isCut: false };
}
