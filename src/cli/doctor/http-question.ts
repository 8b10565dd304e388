/** One GET with a deadline, its bytes as they came: nothing is inflated, nothing is followed. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { answerTo } from '../../http1/answer-to.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Unix time when the question was sent, and how long the answer's head took. */
  readonly askedAtMs: number;
  readonly headMs: number;
}

export type HttpResult =
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  | { readonly kind: 'failed'; readonly code: string; readonly detail: string };

const bodyBytesMax = 2 ** 30;

export async function ask(
  url: URL,
  timeoutMs: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResult> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return { kind: 'answer', answer: await answerOf(url, deadline, headers) };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (deadline.aborted) {
      return { kind: 'failed', code: 'ETIMEDOUT', detail: `no answer within ${timeoutMs} ms` };
    }
    return { kind: 'failed', code, detail: message === '' ? code : message };
  }
}

async function answerOf(
  url: URL,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>>,
): Promise<HttpAnswer> {
  const askedAtMs = Date.now();
  const all = { 'user-agent': 'seaweed-rdma-doctor', 'accept-encoding': 'gzip', ...headers };
  const asked = request(url, { agent: false, signal, headers: all });
  asked.end();
  const answer = await answerTo(asked);
  const headMs = Date.now() - askedAtMs;
  const { statusCode: status = 0, headers: answered } = answer;
  return { status, headers: answered, body: await collect(answer), askedAtMs, headMs };
}

async function collect(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the connection.
    if (bytes > bodyBytesMax) throw new Error(`the answer is over ${bodyBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
