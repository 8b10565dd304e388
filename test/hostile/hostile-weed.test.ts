/**
 * The hostile requests before a real volume server, where `WEED_BIN` names one: every byte that comes back, and whether
 * the connection is closed, is as without a front.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { RequestHead } from '../../src/http1/request-head.ts';
import type { NeedleOutcome } from '../../src/needle/needle-outcome.ts';
import {
  type FrontFixture,
  needleAnswer,
  passed,
  RawClient,
  startFront,
} from '../integration/http-front-fixture.ts';
import { startWeed, type WeedServer, weed } from '../integration/weed-server.ts';
import { hostileHeads } from './hostile-heads.ts';
import { hostileHops } from './hostile-hops.ts';
import { hostileRequests } from './hostile-lists.ts';
import { type HostileRequest, headBytesMax } from './hostile-request.ts';
import { atRandom, Chance, type Segmentation, whole } from './segments.ts';
import { cachedRead, passedRead } from './station.ts';
import { happens } from './waiting.ts';

/** Each with needles of its own, as some requests write. */
const stationCount = 8;
const findingsMax = 30;

/** Reads of a needle, in whatever form: where the lane takes one for a plain read, the corridor answers it. */
const reads = [...hostileHeads, ...hostileHops].filter(
  ({ bytes }) => !/PUT|POST|DELETE/.test(bytes),
);

interface Course {
  readonly received: string;
  readonly closed: boolean;
}

describe.skipIf(weed === undefined)('before a real volume server', () => {
  let server: WeedServer;
  let fronts: readonly FrontFixture[];
  /** The volume server's answer to a plain read, as a corridor gives it. */
  let cached: { readonly head: string; readonly body: Buffer };

  beforeAll(async () => {
    server = await startWeed();
    for (const needle of ['0112345678', '0212345678']) {
      const url = `http://127.0.0.1:${server.port}/1,${needle}`;
      const answer = await fetch(url, { method: 'PUT', body: `needle ${needle}` });
      expect(answer.status).toBe(201);
    }
    const upstreamUrl = `http://127.0.0.1:${server.port}`;
    fronts = await Promise.all(
      [true, false].map((lane) =>
        startFront({
          upstreamUrl,
          lane,
          limits: { headBytes: headBytesMax },
          serve: (head, hasBody) =>
            isCachedRead(head) && !hasBody ? cachedAnswer(cached, head) : passed(upstreamUrl),
        }),
      ),
    );
    const plain = await courseOf(new RawClient(server.port), Buffer.from(cachedRead('')), whole);
    const headBytes = plain.received.indexOf('\r\n\r\n') + 4;
    const body = Buffer.from(plain.received.slice(headBytes), 'latin1');
    cached = { head: plain.received.slice(0, headBytes), body };
  });

  afterAll(async () => {
    await Promise.all((fronts ?? []).map((front) => front.close()));
    server?.close();
  });

  it('hostile requests are answered as they are without a front', async () => {
    // Needles of their own, as some of these requests write.
    const own = (text: string, station: string): string =>
      text.replaceAll(/\b0([34]12345678)/g, `${station}$1`);
    expect(await differences(hostileRequests, own)).toEqual([]);
  }, 120_000);

  it('hostile reads of a cached needle, too', async () => {
    const own = (text: string): string => text.replaceAll(/\b0312345678/g, '0112345678');
    expect(await differences(reads, own)).toEqual([]);
    const served = fronts.flatMap(({ records }) => records.filter((r) => r.outcome === 'cache'));
    expect(served.length).toBeGreaterThan(100);
  }, 120_000);

  afterEach(async () => {
    for (const { front } of fronts) {
      await happens(() => front.stats.connections === 0);
      expect(front.stats).toMatchObject({ connections: 0, requestsInFlight: 0, bytesInFlight: 0 });
    }
  });

  /** One line for each finding. */
  async function differences(
    requests: readonly HostileRequest[],
    own: (text: string, station: string) => string,
  ): Promise<readonly string[]> {
    const findings: string[] = [];
    const work = requests.entries();
    const stations = Array.from({ length: stationCount }, (_, i) => String(i + 1));
    await Promise.all(
      stations.map(async (station) => {
        for (const [number, { name, bytes, mayEnd }] of work) {
          if (findings.length >= findingsMax) return;
          const text = cachedRead('first') + bytes + passedRead('last');
          const sent = Buffer.from(own(text, station), 'latin1');
          // The first of two writes may make a needle that the second one finds.
          await courseOf(new RawClient(server.port), sent, whole);
          const direct = await courseOf(new RawClient(server.port), sent, whole);
          for (const [i, front] of fronts.entries()) {
            const segmentation = number % 2 === i ? whole : atRandom(new Chance(number));
            const course = await courseOf(front.connect(), sent, segmentation, direct);
            // The volume server closes at once after some refusals: bytes that come later cost the refusal.
            const mayBeCut = mayEnd || (direct.closed && segmentation !== whole);
            const found = difference(course, direct, mayBeCut);
            if (found !== undefined) {
              findings.push(`${name}, lane ${i === 0}, ${segmentation.name}: ${found}`);
            }
          }
        }
      }),
    );
    return findings;
  }
});

/** What else a header may ask for is the real corridor's. */
function isCachedRead({ method, target, rawHeaders }: RequestHead): boolean {
  const isPlain = !rawHeaders.some((name) => /^(?:connection|range|authorization)$/i.test(name));
  return method === 'GET' && /^\/1,0112345678(?:\?|$)/.test(target) && isPlain;
}

function cachedAnswer(
  { head: plainHead, body }: { readonly head: string; readonly body: Buffer },
  { http10 }: RequestHead,
): NeedleOutcome {
  const head = http10 === true ? plainHead.replace('HTTP/1.1', 'HTTP/1.0') : plainHead;
  const outcome = needleAnswer(body);
  if (outcome.kind !== 'answer') throw new Error('a needle answer is an answer');
  return { ...outcome, answer: { ...outcome.answer, head } };
}

/** @param expected ends the waiting as soon as it is there */
async function courseOf(
  client: RawClient,
  bytes: Buffer,
  segmentation: Segmentation,
  expected?: Course,
): Promise<Course> {
  await segmentation.send(client, bytes);
  const now = (): Course => ({ received: masked(client.received), closed: client.closed });
  if (expected === undefined) {
    await happens(() => client.closed || client.received !== '');
    await quiet(client);
  } else {
    await happens(
      () => client.closed || (!expected.closed && masked(client.received) === expected.received),
    );
  }
  const course = now();
  client.socket.destroy();
  return course;
}

async function quiet(client: RawClient): Promise<void> {
  for (let rounds = 0, earlier = -1; rounds < 4; rounds += 1) {
    if (client.closed) return;
    if (client.received.length !== earlier) rounds = 0;
    earlier = client.received.length;
    await sleep(20);
  }
}

/** What differs from one answer to the next. */
function masked(text: string): string {
  return text.replace(/^(Date|X-Amz-Request-Id): .*$/gm, '$1: *');
}

function difference(course: Course, direct: Course, mayEnd: boolean): string | undefined {
  if (course.received === direct.received && course.closed === direct.closed) return undefined;
  if (mayEnd && course.closed && direct.received.startsWith(course.received)) return undefined;
  const from = [...course.received].findIndex((c, i) => c !== direct.received[i]);
  const at = Math.max(0, (from < 0 ? course.received.length : from) - 30);
  const show = ({ received, closed }: Course): string =>
    JSON.stringify({ from: at, received: received.slice(at, at + 400), closed });
  return `${show(course)}, directly ${show(direct)}`;
}
