import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerTo } from './answer-to.ts';

let server: Server;
let agent: Agent;
let accepted: Socket[];
let answers: (socket: Socket) => void;

beforeEach(async () => {
  accepted = [];
  agent = new Agent({ keepAlive: true, maxSockets: 1 });
  server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined).on('data', () => answers(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterEach(() => {
  agent.destroy();
  for (const socket of accepted) socket.destroy();
  server.close();
});

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const switching =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nmore';

async function ask(): Promise<number | undefined> {
  const { port } = server.address() as AddressInfo;
  const asked = request({ host: '127.0.0.1', port, agent });
  asked.end();
  const answer = await answerTo(asked);
  await once(answer.resume(), 'end');
  return answer.statusCode;
}

describe('an answer to a request of the program itself', () => {
  it('is there with its head', async () => {
    answers = (socket) => void socket.write(ok);
    expect(await ask()).toBe(200);
  });

  it('comes behind interim answers', async () => {
    answers = (socket) => void socket.write(`HTTP/1.1 103 Early Hints\r\n\r\n${ok}`);
    expect(await ask()).toBe(200);
  });

  it('is an error if it is a 101, and the next request has another connection', async () => {
    answers = (socket) => void socket.write(switching);
    await expect(ask()).rejects.toThrow(/^answered with 101 Switching Protocols, though/);
    answers = (socket) => void socket.write(ok);
    expect(await ask()).toBe(200);
    expect(accepted).toHaveLength(2);
  });

  it.each([
    ['ends', (socket: Socket) => void socket.end()],
    ['is reset', (socket: Socket) => void socket.resetAndDestroy()],
    ['ends in the head', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\nX: ')],
  ])('is an error if the connection %s before it', async (_name, ends) => {
    answers = ends;
    await expect(ask()).rejects.toThrow();
  });
});
