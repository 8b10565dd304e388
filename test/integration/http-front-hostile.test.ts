/** Requests made so that two parsers see different ones: nobody here may see one that the volume server does not. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  eventually,
  type FrontFixture,
  needleAnswer,
  passed,
  type Received,
  startFront,
  startUpstream,
  type UpstreamFixture,
} from './http-front-fixture.ts';

let upstream: UpstreamFixture;
let fixture: FrontFixture;
let served: string[];

beforeEach(async () => {
  served = [];
  upstream = await startUpstream(echo);
  fixture = await startFront({
    upstreamUrl: upstream.url,
    serve: (head) => {
      served.push(head.target);
      if (head.target.startsWith('/1,')) return needleAnswer(Buffer.from(`[${head.target}]`));
      return passed(upstream.url);
    },
  });
});

afterEach(async () => {
  await fixture.close();
  await upstream.close();
});

function echo({ head, body, socket }: Received): void {
  const text = `<${head.split(' ')[1]} ${body.length}>`;
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
}

const smuggled = 'GET /1,smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const post = 'POST /2,02 HTTP/1.1\r\nHost: a\r\n';

describe('a request that hides another one', () => {
  it.each([
    [
      'length against chunked',
      `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    [
      'chunked against length',
      `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    ],
    ['a blank before the colon', `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['a vertical tab', `${post}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`],
    ['another word', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['a list', `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['a folded value', `${post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
    ['a bare line feed', `${post}X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a bare carriage return', `${post}X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a NUL in a name', `${post}Transfer-Encoding\0: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths', `${post}Content-Length: 0\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`],
    ['a length list', `${post}Content-Length: 0, 5\r\n\r\n0\r\n\r\n`],
    ['a hexadecimal length', `${post}Content-Length: 0x5\r\n\r\n0\r\n\r\n`],
    ['a signed length', `${post}Content-Length: +5\r\n\r\n0\r\n\r\n`],
    ['a negative length', `${post}Content-Length: -1\r\n\r\n`],
    ['a folded first line', 'GET /2,02 HTTP/1.1\r\n Host: a\r\n\r\n'],
    ['an absolute target', 'GET http://b/2,02 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['two Hosts', 'GET /2,02 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['an empty line first', '\r\nGET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('by %s is never looked into', async (_name, text) => {
    const bytes = text + smuggled;
    let seen = '';
    for (const socket of upstream.sockets) socket.destroy();
    const client = fixture.connect();
    client.send(bytes);
    await eventually(() => upstream.sockets.size === 1);
    for (const socket of upstream.sockets)
      socket.on('data', (chunk) => {
        seen += chunk.toString('latin1');
      });
    await eventually(() => upstream.received.length > 0 || seen.length > 0 || rawBytes() > 0);
    expect(served).toEqual([]);
    // Not a byte added, taken or kept back.
    await eventually(() => rawBytes() === Buffer.byteLength(bytes, 'latin1'));
  });

  function rawBytes(): number {
    let bytes = 0;
    for (const socket of upstream.sockets) bytes += socket.bytesRead;
    return bytes;
  }

  it.each([
    ['a blank in its size', '5 ;x=y\r\nhello\r\n0\r\n\r\n'],
    ['a folded trailer', '5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n'],
    ['a wrong size', '4\r\nhello\r\n0\r\n\r\n'],
    ['a bare line feed', '5\nhello\n0\n\n'],
    ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ])('in a chunked body with %s ends the connection', async (_name, body) => {
    const client = fixture.connect();
    client.send(`${post}Transfer-Encoding: chunked\r\n\r\n${body}${smuggled}`);
    expect(await client.untilClosed()).not.toContain('smuggled');
    expect(served).toEqual(['/2,02']);
    await eventually(() => fixture.records.length === 1);
    expect(fixture.records[0]).toMatchObject({ outcome: 'error', reason: 'body' });
  });

  it.each([
    ['an extension', '5;x=y\r\nhello\r\n0\r\n\r\n'],
    ['trailers', '5\r\nhello\r\n0\r\nX: y\r\nHost: z\r\n\r\n'],
  ])('behind a chunked body with %s is the next request', async (_name, body) => {
    const client = fixture.connect();
    client.send(`${post}Transfer-Encoding: chunked\r\n\r\n${body}${smuggled}`);
    await client.until((text) => text.endsWith('[/1,smuggled]'));
    expect(upstream.received.map((request) => request.body)).toEqual(['hello']);
  });

  it.each(['\r\n', '\n', '\r\n\r\n', '\r'])(
    'behind %j after a POST is the next request, as the volume server reads it',
    async (lineEnds) => {
      const client = fixture.connect();
      for (const bytes of `${post}Content-Length: 2\r\n\r\nok${lineEnds}${smuggled}`)
        client.send(bytes);
      await client.until((text) => text.endsWith('[/1,smuggled]'));
      expect(fixture.records.map(({ outcome }) => outcome)).toEqual(['passthrough', 'cache']);
    },
  );

  it.each([
    ['five of them after a POST', `${post}Content-Length: 2\r\n\r\nok\r\n\r\n\n`],
    ['one after a GET', 'GET /2,02 HTTP/1.1\r\nHost: a\r\n\r\n\r\n'],
  ])('behind line ends is not looked into: %s', async (_name, text) => {
    const client = fixture.connect();
    client.send(text + smuggled);
    await eventually(() => upstream.accepted() === 2);
    expect(served).toEqual(['/2,02']);
  });

  it('in the rest of a body that was answered early is never begun', async () => {
    const client = fixture.connect();
    client.send(`${post}Content-Length: 1000000\r\n\r\n`);
    await eventually(() => upstream.sockets.size === 1);
    for (const socket of upstream.sockets) {
      socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    }
    await client.until((text) => text.endsWith('\r\n\r\n'));
    client.send(smuggled);
    await client.untilClosed();
    expect(served).toEqual(['/2,02']);
  });
});

interface Sent {
  readonly text: string;
  readonly answer: string;
}

const requests: readonly ((i: number) => Sent)[] = [
  (i) => ({ text: `GET /1,${i} HTTP/1.1\r\nHost: a\r\n\r\n`, answer: `[/1,${i}]` }),
  (i) => ({ text: `GET /2,${i} HTTP/1.1\r\nHost: a\r\n\r\n`, answer: `</2,${i} 0>` }),
  (i) => ({ text: `GET /x${i} HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n`, answer: `</x${i} 0>` }),
  (i) => {
    const body = smuggled.repeat(i % 4);
    const head = `PUT /3,${i} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
    return { text: head + body, answer: `</3,${i} ${body.length}>` };
  },
  (i) => {
    const chunked = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    const head = `POST /4,${i} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
    return { text: head + chunked, answer: `</4,${i} ${smuggled.length}>` };
  },
];

it('any mix of requests, cut anywhere, is answered one for one and in order', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(requests.length - 1), { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
      async (kinds, cuts) => {
        const sent = kinds.map((kind, i) => (requests[kind] as (i: number) => Sent)(i));
        const text = sent.map((each) => each.text).join('');
        const client = fixture.connect();
        for (let at = 0, i = 0; at < text.length; i += 1) {
          const cut = cuts[i % cuts.length] as number;
          client.send(text.slice(at, at + cut));
          at += cut;
          await new Promise((resolve) => setImmediate(resolve));
        }
        const answers = sent.map((each) => each.answer);
        await client.until((received) => received.endsWith(answers.at(-1) as string));
        expect(client.received.match(/[[<]\/[^\]>]*[\]>]/g)).toEqual(answers);
        client.socket.destroy();
      },
    ),
    { numRuns: 60 },
  );
});
