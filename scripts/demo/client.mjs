// An ordinary HTTP client, as applications have one: it knows nothing of the proxy but its address.
import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 32 });

/**
 * @param {string} address host:port
 * @param {{ path: string, method?: string, headers?: Record<string, string>, body?: Buffer }} what
 * @returns {Promise<{ status: number, headers: Record<string, string>, body: Buffer, ms: number }>}
 */
export function ask(address, { path, method = 'GET', headers = {}, body }) {
  const [host, port] = address.split(':');
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, method, headers, agent }, (answer) => {
      const chunks = [];
      answer.on('data', (chunk) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        const ms = performance.now() - startedAt;
        const { statusCode: status, headers: got } = answer;
        resolve({ status, headers: got, body: Buffer.concat(chunks), ms });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

export function closeClient() {
  agent.destroy();
}
