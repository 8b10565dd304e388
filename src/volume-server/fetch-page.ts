/** Gets a page that a volume server says of itself: whole, bounded in size and time, or an error in words. */
import { type Agent, type IncomingMessage, request } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { answerPieces } from '../http1/answer-pieces.ts';
import { answerTo } from '../http1/answer-to.ts';
import { foreignServer, foreignText } from './foreign-server.ts';

/** The list of some 200,000 volumes. */
const bodyBytesMax = 64 * 2 ** 20;
const turnBytes = 4 * 2 ** 20;

/** Rejects with the reason in words when there is no 200 with its whole body within `timeoutMs`. */
export async function fetchPage(url: URL, agent: Agent, timeoutMs: number): Promise<Buffer> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const headers = { 'user-agent': 'seaweed-rdma', accept: '*/*' };
  try {
    const asked = request(url, { agent, signal: deadline, headers });
    asked.end();
    return await collect(url.pathname, await answerTo(asked));
  } catch (error) {
    throw deadline.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error;
  }
}

async function collect(path: string, answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  await answerPieces(answer, (chunk) => {
    bytes += chunk.length;
    if (bytes > bodyBytesMax)
      throw new Error(`the answer to GET ${path} is over ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  });
  const body = await joined(chunks, bytes);
  const { statusCode, headers } = answer;
  if (statusCode === 200) return body;
  const foreign = foreignServer(headers, body.toString('utf8', 0, 1024));
  if (foreign !== undefined) throw new Error(foreignText(foreign, 'volume_server_url'));
  throw new Error(`GET ${path} was answered with ${statusCode}`);
}

/** Works like Buffer.concat, which holds the event loop 0.1 s for 64 MiB, in turns of it. */
async function joined(chunks: readonly Buffer[], bytes: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  let turnAt = turnBytes;
  for (const chunk of chunks) {
    at += chunk.copy(whole, at);
    if (at < turnAt) continue;
    turnAt = at + turnBytes;
    await turn();
  }
  return whole;
}
