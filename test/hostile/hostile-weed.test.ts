/**
 * The hostile requests before a real volume server, where `WEED_BIN` names one: every byte that comes back, and whether
 * the connection is closed, is as without a front.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FrontFixture, RawClient, startFront } from '../integration/http-front-fixture.ts';
import { startWeed, type WeedServer, weed } from '../integration/weed-server.ts';
import { hostileCodings } from './hostile-codings.ts';
import { hostileHeads } from './hostile-heads.ts';
import { hostileLengths } from './hostile-lengths.ts';
import { headBytesMax } from './hostile-request.ts';
import { atRandom, Chance, type Segmentation, whole } from './segments.ts';
import { cachedRead, passedRead } from './station.ts';
import { happens } from './waiting.ts';

const all = [...hostileLengths, ...hostileCodings, ...hostileHeads];
/** Each with needles of its own, as some requests write. */
const stationCount = 8;
const findingsMax = 30;

interface Course {
  readonly received: string;
  readonly closed: boolean;
}

describe.skipIf(weed === undefined)('before a real volume server', () => {
  let server: WeedServer;
  let fronts: readonly FrontFixture[];

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
        startFront({ upstreamUrl, lane, limits: { headBytes: headBytesMax } }),
      ),
    );
  });

  afterAll(async () => {
    await Promise.all((fronts ?? []).map((front) => front.close()));
    server?.close();
  });

  it('hostile requests are answered as they are without a front', async () => {
    const findings: string[] = [];
    const work = all.entries();
    const stations = Array.from({ length: stationCount }, (_, i) => String(i + 1));
    await Promise.all(
      stations.map(async (station) => {
        for (const [number, { name, bytes, mayEnd }] of work) {
          if (findings.length >= findingsMax) return;
          const text = cachedRead('first') + bytes + passedRead('last');
          const own = Buffer.from(text.replaceAll(/\b0([34]12345678)/g, `${station}$1`), 'latin1');
          // The first of two writes may make a needle that the second one finds.
          await courseOf(new RawClient(server.port), own, whole);
          const direct = await courseOf(new RawClient(server.port), own, whole);
          for (const [i, front] of fronts.entries()) {
            const segmentation = number % 2 === i ? whole : atRandom(new Chance(number));
            const course = await courseOf(front.connect(), own, segmentation, direct);
            // The volume server closes at once after some refusals: bytes that come later cost the refusal.
            const mayBeCut = mayEnd || (direct.closed && segmentation !== whole);
            const found = difference(course, direct, mayBeCut);
            if (found !== undefined)
              findings.push(`${name}, lane ${i === 0}, ${segmentation.name}: ${found}`);
          }
        }
      }),
    );
    expect(findings).toEqual([]);
    for (const front of fronts) {
      await happens(() => front.front.stats.connections === 0);
      expect(front.front.stats).toMatchObject({ connections: 0, requestsInFlight: 0 });
    }
  }, 120_000);
});

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
