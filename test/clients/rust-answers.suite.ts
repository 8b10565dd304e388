/**
 * Each answer in front of SeaweedFS's volume server in Rust is the one that the server gives itself, to the byte and to
 * the order of its headers: needles of all kinds, asked in all ways, each several times.
 */
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answeredBetween, describe as line, shareHere, totalsOf } from './answered.ts';
import { Cluster } from './cluster.ts';
import { textFile } from './contents.ts';
import { rustVolumeServer, weed } from './run-clients.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

interface Part {
  readonly what: string;
  readonly bytes: Buffer;
  readonly name?: string;
  readonly mime?: string;
  readonly isGzip?: boolean;
  readonly pair?: string;
  readonly query?: string;
}

const text = textFile(300 * kibibyte).bytes;
const parts: readonly Part[] = [
  { what: 'one byte', bytes: Buffer.from('x') },
  { what: 'small, without a name', bytes: randomBytes(1000) },
  { what: 'small, .txt', bytes: Buffer.from('some text'), name: 'a.txt' },
  { what: 'small, .JPG', bytes: randomBytes(3000), name: 'B.JPG' },
  { what: 'small, no such extension', bytes: randomBytes(3000), name: 'c.zzz9' },
  { what: 'a name of dots', bytes: randomBytes(300), name: 'a..' },
  { what: 'a hidden name', bytes: randomBytes(300), name: '.profile' },
  { what: 'a type of its own', bytes: randomBytes(300), name: 'd.bin', mime: 'image/x-own; v="1"' },
  { what: 'octet-stream', bytes: randomBytes(300), name: 'e', mime: 'application/octet-stream' },
  { what: 'a name with a blank', bytes: randomBytes(300), name: 'a b.txt' },
  { what: 'a name beyond ASCII', bytes: randomBytes(300), name: 'ä.txt' },
  { what: 'headers of its own', bytes: randomBytes(300), name: 'f.png', pair: 'v' },
  { what: 'text, which is stored compressed', bytes: text, name: 'g.txt', mime: 'text/plain' },
  { what: 'sent compressed', bytes: gzipSync(text), isGzip: true, name: 'h.log' },
  { what: 'two members', bytes: Buffer.concat([gzipSync('1'), gzipSync('22')]), isGzip: true },
  { what: 'compressed and shorter than that', bytes: gzipSync('1'), isGzip: true },
  { what: 'no gzip', bytes: randomBytes(500), isGzip: true, name: 'i.txt' },
  { what: 'expiring', bytes: randomBytes(500), name: 'j.txt', query: '?ttl=5d' },
  { what: 'exactly 1 MiB', bytes: randomBytes(mebibyte), name: 'k.mp4' },
  { what: 'streamed', bytes: randomBytes(mebibyte + 1) },
  { what: 'streamed, .mp4', bytes: randomBytes(2 * mebibyte), name: 'l.mp4' },
  { what: 'streamed, no such extension', bytes: randomBytes(2 * mebibyte), name: 'm.zzz9' },
  { what: 'streamed, a type of its own', bytes: randomBytes(2 * mebibyte), mime: 'video/own' },
];

interface Way {
  readonly query?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** As SeaweedFS's own clients ask. */
const plainWays: readonly Way[] = [
  {},
  { headers: { 'Accept-Encoding': 'gzip', 'User-Agent': 'Go-http-client/1.1' } },
  { query: '?readDeleted=true' },
  { query: '?readDeleted=true', headers: { 'Accept-Encoding': 'gzip' } },
  { query: '?readDeleted=true', headers: { Range: 'bytes=0-0' } },
  { headers: { Range: 'bytes=0-' } },
];
const otherWays: readonly Way[] = [
  { headers: { Range: 'bytes=1-2000' } },
  { headers: { Range: 'bytes=100-2000', 'Accept-Encoding': 'gzip' } },
  { headers: { Range: 'bytes=999-999999999' } },
  { headers: { Range: 'bytes=-5' } },
  { headers: { Range: 'bytes=5-1' } },
  { headers: { Range: 'bytes=0-1,3-4' } },
  { headers: { Range: '' } },
  { headers: { Range: 'bits=0-1' } },
  { method: 'HEAD' },
  { method: 'HEAD', headers: { 'Accept-Encoding': 'gzip' } },
  { headers: { 'If-None-Match': '"00000000"' } },
  { headers: { 'If-Modified-Since': 'Sun, 29 Nov 2099 00:00:00 GMT' } },
  { headers: { Origin: 'http://a.test' } },
  { headers: { Cookie: 'AT=x' } },
  { headers: { Connection: 'close' } },
  { query: '?dl=true' },
  { query: '?readDeleted=false' },
  { query: '?response-content-type=a/b' },
  { path: '.txt' },
];

interface Answer {
  readonly status: string;
  readonly head: readonly string[];
  readonly body: Buffer;
}

describe.skipIf(rustVolumeServer === undefined)('answers as the volume server in Rust', () => {
  let cluster: Cluster;
  const stored: { readonly part: Part; readonly fid: string }[] = [];
  const agent = new Agent({ keepAlive: true });

  beforeAll(async () => {
    cluster = await Cluster.start({ weed: weed as string, rustVolumeServer, front: 'proxy' });
    for (const part of parts) stored.push({ part, fid: await store(cluster.master, part) });
  });

  afterAll(async () => {
    agent.destroy();
    await cluster?.close();
  });

  test.each(parts)('$what', async ({ what }) => {
    const fid = stored.find(({ part }) => part.what === what)?.fid ?? '';
    for (const way of [...plainWays, ...otherWays]) {
      const direct = await ask(agent, cluster.hiddenVolumeServer, fid, way);
      for (const time of [1, 2, 3, 4]) {
        const answer = await ask(agent, cluster.volumeServer, fid, way);
        const place = `${JSON.stringify(way)}, time ${time}`;
        expect([answer.status, ...answer.head], place).toEqual([direct.status, ...direct.head]);
        expect(answer.body.equals(direct.body), place).toBe(true);
      }
    }
  });

  test('what is asked as SeaweedFS’s clients ask is answered here', async () => {
    const before = await totalsOf(cluster.admin);
    for (const { part, fid } of stored) {
      const isOdd = part.pair !== undefined || /[^\w.]/.test(part.name ?? '');
      if (isOdd || part.what === 'two members') continue;
      for (const way of plainWays) await ask(agent, cluster.volumeServer, fid, way);
    }
    const answered = answeredBetween(before, await totalsOf(cluster.admin));
    expect(shareHere(answered), line(answered)).toBe(1);
  });
});

async function store(master: string, part: Part): Promise<string> {
  const answer = await fetch(`http://${master}/dir/assign${part.query ?? ''}`);
  const { fid, url } = (await answer.json()) as { readonly fid: string; readonly url: string };
  const boundary = 'boundaryOfTheParts';
  const head = [
    `--${boundary}`,
    `Content-Disposition: form-data; name="file"; filename="${part.name ?? ''}"`,
    ...(part.mime === undefined ? [] : [`Content-Type: ${part.mime}`]),
    ...(part.isGzip === true ? ['Content-Encoding: gzip'] : []),
  ];
  const body = Buffer.concat([
    Buffer.from(`${head.join('\r\n')}\r\n\r\n`),
    part.bytes,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
  const written = await fetch(`http://${url}/${fid}${part.query ?? ''}`, {
    method: 'POST',
    headers: {
      'Content-Type': `multipart/form-data; boundary=${boundary}`,
      ...(part.pair === undefined ? {} : { 'Seaweed-Own': part.pair }),
    },
    body,
  });
  if (!written.ok) throw new Error(`${part.what}: ${written.status} ${await written.text()}`);
  return fid;
}

const id = /^[0-9A-F]{24}$/;

function ask(agent: Agent, server: string, fid: string, way: Way): Promise<Answer> {
  const { query = '', path = '', method = 'GET', headers = {} } = way;
  return new Promise((resolve, reject) => {
    const asked = request(
      `http://${server}/${fid}${path}${query}`,
      { method, agent, headers: { ...headers } },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const { statusCode, statusMessage, rawHeaders } = answer;
          const head: string[] = [];
          for (let i = 0; i < rawHeaders.length; i += 2) {
            // The connection's own, which the proxy writes for its clients.
            if (rawHeaders[i]?.toLowerCase() === 'connection') continue;
            head.push(`${rawHeaders[i]}: ${shown(rawHeaders[i], rawHeaders[i + 1] ?? '')}`);
          }
          resolve({
            status: `${statusCode} ${statusMessage}`,
            head,
            body: Buffer.concat(chunks),
          });
        });
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

/** Ids and dates differ from answer to answer, in value only. */
function shown(name: string | undefined, value: string): string {
  if (name?.endsWith('request-id') === true && id.test(value)) return 'ID';
  return name === 'date' && !Number.isNaN(Date.parse(value)) ? 'DATE' : value;
}
