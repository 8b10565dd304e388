/** Needles over HTTP, as stored: from a volume server, or from the proxy in its place. */
import { Agent, get, type IncomingMessage } from 'node:http';
import { fidOf } from '../needle-name.ts';
import type { PathLoad, ReadNeedle } from './path.ts';

/** `bytes` from `offset` on. */
export function httpPath(
  url: string,
  { bytes, timeoutMs, depth }: PathLoad,
  offset = 0,
): ReadNeedle {
  const agent = new Agent({ keepAlive: true, maxSockets: depth });
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  // As a target gives it: not decoded on the way.
  const headers = { 'Accept-Encoding': 'gzip', Range: `bytes=${offset}-${offset + bytes - 1}` };
  return (needle, look) =>
    new Promise((resolve, reject) => {
      const path = `/${fidOf(needle)}`;
      const options = { agent, host, port: port === '' ? 80 : Number(port), path, headers };
      const asked = get({ ...options, timeout: timeoutMs }, (answer) => {
        collect(answer).then((body) => {
          const { statusCode = 0 } = answer;
          if (statusCode !== 206 && statusCode !== 200) return reject(new Error(`${statusCode}`));
          look(body);
          resolve();
        }, reject);
      });
      asked.on('timeout', () => asked.destroy(new Error('deadline')));
      asked.on('error', reject);
    });
}

async function collect(answer: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
