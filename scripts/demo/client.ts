/** An ordinary HTTP client, as applications have one: it knows nothing of the proxy but its address. */
import { Agent, type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';

export interface Question {
  readonly path: string;
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly ms: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/** `address`: host:port. */
export function ask(
  address: string,
  { path, method = 'GET', headers = {}, body }: Question,
): Promise<Answer> {
  const [host, port] = address.split(':');
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method, headers, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const ms = performance.now() - startedAt;
        const { statusCode: status = 0, headers: got } = answer;
        resolve({ status, headers: got, body: Buffer.concat(chunks), ms });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

export function closeClient(): void {
  agent.destroy();
}
