/**
 * Proxies and targets of this version beside those of the releases before, whose conversation is recorded. The peers here
 * compute their proofs by themselves, so that a change of the real ones cannot hide in both.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { ControlConnection } from '../../src/rdma/control/control-connection.ts';
import {
  type ControlListener,
  openControlListener,
} from '../../src/rdma/control/control-listener.ts';
import { Conversation, type Speaker } from '../../src/rdma/control/control-protocol.ts';
import { controlOptions } from '../unit/control-options.ts';

const secret = 'sesame';
const file = new URL('fixtures/control-v1.txt', import.meta.url);
const recorded = readFileSync(file, 'latin1')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [speaker = '', ...words] = line.split(' ');
    const [content = '', proof] = words;
    return { speaker: speaker as Speaker, content, proof, line: words.join(' ') };
  });
const [hello, challenge, , welcome] = recorded.map(({ content }) => content) as [
  string,
  string,
  string,
  string,
];

const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

/**
 * Nonces, proofs and addresses differ from one conversation to the next; everything else is compared. Released
 * proxies do not look at `came_from`, `namespaces` and `fabric`, from which one of today explains a session that fails, and
 * released targets do not look at `keys`.
 */
function masked(line: string): string {
  return line
    .replace(/[0-9a-f]{64}/g, 'HEX')
    .replace(/"keys":\[[^\]]*\],/, '')
    .replace(/"hosts":\[[^\]]*\]/, '"hosts":[]')
    .replace(/,"came_from":"[^"]*"/, '')
    .replace(/,"namespaces":\{[^}]*\}/, '')
    .replace(/,"fabric":\{.*\}\}/, '}')
    .replace(/"ucx_host":"[^"]*","ucx_port":\d+/, '"ucx_host":"","ucx_port":0');
}

/** One side of a conversation as the documents describe it. */
class RecordedPeer {
  readonly #speaker: Speaker;
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  #spoken = '';

  constructor(speaker: Speaker, socket: Socket) {
    const lines: Interface = createInterface({ input: socket });
    this.#speaker = speaker;
    this.#socket = socket;
    this.#lines = lines[Symbol.asyncIterator]();
    ends.push(() => socket.destroy());
    socket.on('error', () => undefined);
  }

  say(content: string, isProved: boolean): void {
    const proof = isProved ? ` ${this.#proof(this.#speaker, content)}` : '';
    this.#spoken += `${content}${proof}\n`;
    this.#socket.write(`${content}${proof}\n`);
  }

  async hear(isProved: boolean): Promise<string> {
    const { value } = await this.#lines.next();
    const [content = '', proof] = String(value).split(' ');
    const other = this.#speaker === 'proxy' ? 'target' : 'proxy';
    expect(proof).toBe(isProved ? this.#proof(other, content) : undefined);
    this.#spoken += `${value}\n`;
    return String(value);
  }

  #proof(speaker: Speaker, content: string): string {
    const text = `control ${speaker}\n${this.#spoken}${content}`;
    return createHmac('sha256', secret).update(text).digest('hex');
  }
}

async function target(): Promise<ControlListener> {
  const listener = await openControlListener({ ...controlOptions, secret });
  listener.serve({
    ucxPlace: (host) => ({ host, port: 18_517 }),
    admit: () => undefined,
    adopt: () => undefined,
    hasUcx: true,
  });
  ends.push(() => listener.end());
  return listener;
}

async function recordedProxy(): Promise<RecordedPeer> {
  const { port } = await target();
  return new RecordedPeer('proxy', connect({ host: '127.0.0.1', port }));
}

describe('the recorded conversation of version 1', () => {
  test('is said today byte for byte', () => {
    const conversation = new Conversation(secret);
    for (const { speaker, content, proof, line } of recorded) {
      const said = conversation.say(speaker, JSON.parse(content), proof !== undefined);
      expect(said).toBe(`${line}\n`);
    }
    expect(recorded).toHaveLength(4);
  });

  test('is understood and believed today', () => {
    const conversation = new Conversation(secret);
    for (const { speaker, content, proof, line } of recorded) {
      const heard = conversation.hear(speaker, line, proof !== undefined);
      expect(heard).toEqual(JSON.parse(content));
    }
  });

  test("is a proxy's of today with a target of then", async () => {
    const server: Server = createServer().listen(0, '127.0.0.1');
    ends.push(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const control = new ControlConnection({
      host: '127.0.0.1',
      port,
      secret,
      timeoutMs: 5_000,
      devices: 'lo',
      transports: 'all',
    });
    ends.push(() => control.close());
    const [socket] = (await once(server, 'connection')) as [Socket];
    const then = new RecordedPeer('target', socket);
    const lines = [await then.hear(false)];
    then.say(challenge, true);
    lines.push(await then.hear(true));
    then.say(welcome, true);
    expect(await control.admitted).toMatchObject({
      ucx: { host: '10.0.0.8', port: 18_517 },
      hosts: ['10.0.0.8', '10.0.0.8', '2001:db8::8'],
    });
    const told = recorded.filter(({ speaker }) => speaker === 'proxy');
    expect(lines.map(masked)).toEqual(told.map(({ line }) => masked(line)));
  });

  test("is a target's of today with a proxy of then", async () => {
    const then = await recordedProxy();
    then.say(hello, false);
    const lines = [await then.hear(true)];
    then.say('{}', true);
    lines.push(await then.hear(true));
    const told = recorded.filter(({ speaker }) => speaker === 'target');
    expect(lines.map(masked)).toEqual(told.map(({ line }) => masked(line)));
  });
});

describe('a proxy that offers versions', () => {
  const offering = (min: number, max: number): string =>
    JSON.stringify({ ...JSON.parse(hello), version_min: min, version_max: max });

  test('1 to 2 is served in version 1', async () => {
    const next = await recordedProxy();
    next.say(offering(1, 2), false);
    expect(JSON.parse((await next.hear(true)).split(' ')[0] ?? '')).toMatchObject({ version: 1 });
    next.say('{}', true);
    expect(masked(await next.hear(true))).toBe(masked(recorded[3]?.line ?? ''));
  });

  test('2 to 3 is refused, and told why', async () => {
    const next = await recordedProxy();
    next.say(offering(2, 3), false);
    expect(await next.hear(false)).toBe('{"refused":"unsupported_version"}');
  });
});
