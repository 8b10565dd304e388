/** Needles over HTTP, as stored: from a volume server, or from the proxy in its place. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { answerTo } from '../../http1/answer-to.ts';
import { authorization } from '../doctor/authorization.ts';
import { gatherVolumeServer } from '../doctor/volume-server.ts';
import { fidOf, type NeedleName } from '../needle-name.ts';
import type { HttpPlace, PathLoad, ReadNeedle } from './path.ts';

type Load = Pick<PathLoad, 'bytes' | 'timeoutMs' | 'depth'>;

/** Which server each volume is on. Throws where nothing answers at one of them. */
export async function openHttpPath(place: HttpPlace, load: Load): Promise<ReadNeedle> {
  const servers = await Promise.all(
    place.urls.map((url) => gatherVolumeServer(url, load.timeoutMs)),
  );
  const away = servers.find(({ failure }) => failure !== '');
  if (away !== undefined) throw new Error(`${away.url}: ${away.failure}`);
  const reads = servers.map(({ url, volumes = [] }) => ({
    volumes: new Set(volumes),
    read: httpPath(url, load, { readKey: place.readKey }),
  }));
  const [first] = reads;
  return (needle, look) => {
    const owner = reads.find(({ volumes }) => volumes.has(needle.volumeId)) ?? first;
    if (owner === undefined) throw new Error('no volume server is named');
    return owner.read(needle, look);
  };
}

export interface HttpPathOptions {
  /** `bytes` from here on; default 0. */
  readonly offset?: number;
  readonly readKey?: string | undefined;
}

/** Asks one server. */
export function httpPath(
  url: string,
  { bytes, timeoutMs, depth }: Load,
  { offset = 0, readKey }: HttpPathOptions = {},
): ReadNeedle {
  const agent = new Agent({ keepAlive: true, maxSockets: depth });
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  // Asks for the bytes as a target gives them: not decoded on the way.
  const plain = { 'Accept-Encoding': 'gzip', Range: `bytes=${offset}-${offset + bytes - 1}` };
  const sign = signer(readKey);
  return async (needle, look) => {
    const path = `/${fidOf(needle)}`;
    const headers = { ...plain, ...sign(needle) };
    const options = { agent, host, port: port === '' ? 80 : Number(port), path, headers };
    const asked = request({ ...options, timeout: timeoutMs });
    asked.on('timeout', () => asked.destroy(new Error('deadline')));
    asked.end();
    const answer = await answerTo(asked);
    const body = await collect(answer);
    const { statusCode = 0 } = answer;
    if (statusCode !== 206 && statusCode !== 200) throw new Error(`${statusCode}`);
    look(body);
  };
}

/** Half of a token's life: signing is not what is measured. */
const signedMsMax = 5_000;

function signer(key: string | undefined): (needle: NeedleName) => Readonly<Record<string, string>> {
  if (key === undefined) return () => ({});
  const signed = new Map<
    string,
    { readonly header: Readonly<Record<string, string>>; at: number }
  >();
  return (needle) => {
    const fid = fidOf(needle);
    const now = performance.now();
    const known = signed.get(fid);
    if (known !== undefined && now - known.at < signedMsMax) return known.header;
    const header = authorization(key, fid);
    signed.set(fid, { header, at: now });
    return header;
  };
}

async function collect(answer: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
