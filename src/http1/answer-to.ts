/** Waits for the answer to a request that the program itself sends with Node's HTTP client. */
import type { ClientRequest, IncomingMessage } from 'node:http';

/**
 * Resolves with the answer's head. Rejects if the request fails, if the server switches protocols though it was not
 * asked to (Node then reports neither an answer nor an error), and if the connection closes without an answer. Later
 * errors of the request are errors of the answer's body.
 *
 * @param asked not ended yet, or just ended
 */
export function answerTo(asked: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.on('response', (answer) => {
      asked.on('error', (error) => answer.destroy(error));
      resolve(answer);
    });
    asked.on('error', reject);
    asked.on('upgrade', ({ statusCode, statusMessage }, socket) => {
      socket.destroy();
      reject(
        new Error(`answered with ${statusCode} ${statusMessage}, though no upgrade was asked for`),
      );
    });
    asked.on('close', () => reject(new Error('the connection closed without an answer')));
  });
}
