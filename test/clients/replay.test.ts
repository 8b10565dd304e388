/**
 * What SeaweedFS's clients send, as it was recorded from them, is answered here and not forwarded; the bytes are those of
 * the volume's files, and the head is the origin's.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signReadToken } from '../../src/needle/token/sign-read-token.ts';
import { RawConnection, type ReceivedAnswer } from '../conformance/raw-connection.ts';
import { ReplayStage, type StoredNeedle } from './replay-stage.ts';
import { hasPlace, type RequestShape, readShapes, requestOf } from './request-shapes.ts';

const readKey = 'a read key of the replay';
/** The first answer may still tell the proxy something of the server. */
const timesMax = 3;
const { shapes } = readShapes();
const sampleRange = { from: 100, to: 611 };

describe.each([
  { title: 'without a read key', key: '', wanted: shapes.filter((each) => !isSigned(each)) },
  { title: 'with a read key', key: readKey, wanted: shapes.filter(isSigned) },
])('recorded requests $title', ({ key, wanted }) => {
  let stage: ReplayStage;

  beforeAll(async () => {
    stage = await ReplayStage.start(key);
  });

  afterAll(async () => {
    await stage?.close();
  });

  test.each(wanted.map((shape) => ({ shape, name: shape.lines.join(' | ') })))(
    '$name',
    async ({ shape }) => {
      for (const needle of stage.needles) {
        const answer = await untilHere(stage.proxyPort, () => bytesOf(shape, needle, key));
        const own = await ask(stage.originPort, bytesOf(shape, needle, key));
        expect(headOf(answer), needle.what).toEqual(headOf(own));
        expect(Buffer.compare(answer.body, own.body), needle.what).toBe(0);
        expect(Buffer.compare(answer.body, storedBody(shape, needle)), needle.what).toBe(0);
      }
    },
  );
});

test('the recording has what is known to be odd', () => {
  const texts = shapes.map(({ lines }) => lines.join('\n'));
  const odd = [
    /^X-Amz-Request-Id: $/m,
    /^X-Amz-Request-Id: \{requestId\}\nX-Amz-Request-Id: $/m,
    /^Range: bytes=\{from\}-\{to\}$/m,
    /^X-Forwarded-For: /m,
    /^GET \/\{base\}_\{delta\} /,
    /^GET \/\{fid\}\?readDeleted=true /,
  ];
  for (const pattern of odd) expect(texts.some((text) => pattern.test(text))).toBe(true);
  const ranged = texts.filter((text) => text.includes('Range: '));
  expect(ranged.some((text) => text.includes('Accept-Encoding'))).toBe(false);
});

function isSigned(shape: RequestShape): boolean {
  return hasPlace(shape, 'token');
}

/** Each time with another request id. */
function bytesOf(shape: RequestShape, needle: StoredNeedle, key: string): Buffer {
  const id = Math.floor(Math.random() * 2 ** 48)
    .toString(16)
    .toUpperCase();
  return requestOf(shape, {
    ...{ fid: needle.fid, base: needle.base, delta: 1, ...sampleRange },
    ...{ host: '127.0.0.1:8080', client: '127.0.0.1:40404', requestId: id.padStart(24, '0') },
    token: signReadToken(key, needle.fid, Math.floor(Date.now() / 1e3) + 60),
  });
}

async function ask(port: number, request: Buffer): Promise<ReceivedAnswer> {
  const connection = await RawConnection.open(port);
  connection.send(request);
  const received = await connection.receive('GET');
  connection.close();
  if (received.kind !== 'answer') throw new Error(`${received.kind} for ${request}`);
  return received.answer;
}

async function untilHere(port: number, request: () => Buffer): Promise<ReceivedAnswer> {
  const sources: string[] = [];
  for (let i = 0; i < timesMax; i += 1) {
    const answer = await ask(port, request());
    const source = headerOf(answer, 'X-Rdma-Source');
    if (source === 'cache' || source === 'rdma') return answer;
    sources.push(source);
  }
  throw new Error(`not answered here, but ${sources.join(', ')}`);
}

function headerOf(answer: ReceivedAnswer, wanted: string): string {
  return answer.headers.find(([name]) => name === wanted)?.[1] ?? '';
}

const added: ReadonlySet<string> = new Set(['X-Rdma-Source', 'Cache-Status', 'Server-Timing']);
const varying: ReadonlySet<string> = new Set(['X-Amz-Request-Id', 'Date']);

/** Without what `debug_headers` adds; what differs from one answer to the next is masked. */
function headOf({ statusLine, headers }: ReceivedAnswer): readonly string[] {
  const lines = headers
    .filter(([name]) => !added.has(name))
    .map(([name, value]) => `${name}: ${varying.has(name) ? '*' : value}`);
  return [statusLine, ...lines];
}

function storedBody(shape: RequestShape, { plain, gzip }: StoredNeedle): Buffer {
  if (hasPlace(shape, 'from')) return plain.subarray(sampleRange.from, sampleRange.to + 1);
  const takesGzip = shape.lines.includes('Accept-Encoding: gzip');
  return takesGzip ? (gzip ?? plain) : plain;
}
