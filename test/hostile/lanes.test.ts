/**
 * Hostile requests on connections that lanes have: whoever answered before, and however the bytes are cut, the client and
 * the application see what they see without lanes, to the byte.
 */
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../integration/scratch.ts';
import { hostileRequests } from './hostile-lists.ts';
import { head } from './hostile-request.ts';
import {
  difference,
  fillLaneVolume,
  type LaneCourse,
  LaneStation,
  publishedBody,
  publishedRead,
} from './lane-station.ts';
import {
  atRandom,
  byteByByte,
  Chance,
  cutAt,
  pausing,
  type Segmentation,
  whole,
} from './segments.ts';
import { stationsFor } from './stations.ts';
import { happens } from './waiting.ts';

const findingsMax = 20;
const stationCount = 6;
const { folder } = scratchFolder();
fillLaneVolume(folder);

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Bodies of published reads that came. */
function publishedIn({ received }: LaneCourse): number {
  return received.split(publishedBody).length - 1;
}

describe('with two lanes', () => {
  const onEach = stationsFor(() => LaneStation.start(folder, 2), stationCount);

  it('hostile requests do what they do without lanes', async () => {
    const findings: string[] = [];
    const work = hostileRequests.entries();
    await onEach(async (station) => {
      for (const [number, { name, bytes }] of work) {
        if (findings.length >= findingsMax) break;
        for (const [text, segmentation] of streamsOf(number, bytes)) {
          const found = difference(...(await station.run(bytesOf(text), segmentation)));
          if (found !== undefined) findings.push(`${name}, ${segmentation.name}: ${found}`);
        }
      }
    });
    expect(findings).toEqual([]);
  }, 120_000);

  it('published reads around a write are answered in order', async () => {
    const post = `${head('POST', 'Content-Length: 5')}hello`;
    await onEach(async (station) => {
      const bytes = bytesOf(publishedRead + publishedRead + post + publishedRead);
      const courses = await station.run(bytes);
      expect(difference(...courses)).toBeUndefined();
      expect(publishedIn(courses[0])).toBe(3);
      expect(courses[0].requests).toHaveLength(1);
      expect(courses[0].received.indexOf('[POST')).toBeLessThan(
        courses[0].received.lastIndexOf(publishedBody),
      );
    });
  });

  it('published reads, another and a write, cut in two at any byte', async () => {
    const put = `${head('PUT', 'Content-Length: 5')}hello`;
    const bytes = bytesOf(publishedRead + head('GET') + publishedRead + put + publishedRead);
    const findings: string[] = [];
    const cuts = Array.from(bytes.keys()).slice(1).values();
    await onEach(async (station) => {
      for (const at of cuts) {
        if (findings.length >= findingsMax) break;
        const courses = await station.run(bytes, cutAt(at));
        const found = difference(...courses);
        if (found !== undefined) findings.push(`cut at ${at}: ${found}`);
        if (publishedIn(courses[0]) !== 3) findings.push(`cut at ${at}: not all were answered`);
      }
    });
    expect(findings).toEqual([]);
  }, 120_000);

  it('300 pipelined published reads are all answered, by the lane', async () => {
    await onEach(async (station) => {
      const before = station.answeredByLanes;
      const courses = await station.run(bytesOf(publishedRead.repeat(300)));
      expect(difference(...courses)).toBeUndefined();
      expect(publishedIn(courses[0])).toBe(300);
      // One more by the priming.
      expect(await happens(() => station.answeredByLanes - before === 301)).toBe(true);
    });
  });

  it('a client that sends no more gets its answers, then the end', async () => {
    await onEach(async (station) => {
      for (const count of [0, 1, 3, 1, 1, 1]) {
        const courses = await station.run(bytesOf(publishedRead.repeat(count)), whole, (client) =>
          client.socket.end(),
        );
        expect(difference(...courses)).toBeUndefined();
        expect(publishedIn(courses[0])).toBe(count);
        expect(courses[0].closed).toBe(true);
      }
    });
  });

  it('a client that ends within a head is treated as without lanes', async () => {
    await onEach(async (station) => {
      for (const part of ['G', publishedRead.slice(0, -2), `${publishedRead}GET /`]) {
        const courses = await station.run(bytesOf(part), whole, (client) => client.socket.end());
        expect(difference(...courses)).toBeUndefined();
      }
    });
  });
});

/** Behind a published read in one write, and cut before one. */
function streamsOf(
  number: number,
  bytes: string,
): readonly (readonly [text: string, segmentation: Segmentation])[] {
  const chance = new Chance(number);
  const cut = [byteByByte, atRandom(chance), pausing(chance)][number % 3] as Segmentation;
  return [
    [publishedRead + bytes + publishedRead, whole],
    [bytes + publishedRead, cut],
  ];
}
