/**
 * Hundreds of hostile requests, each between innocent reads: behind the front there happens what happens without it,
 * to the byte, whoever answers and however the bytes are cut.
 */
import { describe, expect, it } from 'vitest';
import { hostileRequests } from './hostile-lists.ts';
import { head } from './hostile-request.ts';
import {
  atRandom,
  byteByByte,
  Chance,
  cutAt,
  pausing,
  type Segmentation,
  whole,
} from './segments.ts';
import { cachedRead, passedRead, Station } from './station.ts';
import { kinds, stationsFor } from './stations.ts';

/** Enough to see what is wrong. */
const findingsMax = 30;

it('are many, and each has a name of its own', () => {
  expect(hostileRequests.length).toBeGreaterThan(300);
  expect(new Set(hostileRequests.map(({ name }) => name)).size).toBe(hostileRequests.length);
});

interface Stream {
  readonly name: string;
  readonly bytes: Buffer;
  readonly directly: Buffer;
  readonly mayEnd: boolean;
}

/** The request behind an innocent read and before another, once for each who may answer these. */
const streams: readonly Stream[] = hostileRequests.flatMap(
  ({ name, bytes, mayEnd, withoutOffer = bytes }) =>
    [
      (middle: string) => cachedRead('first') + middle + passedRead('last'),
      (middle: string) => passedRead('first') + middle + cachedRead('last'),
    ].map((around, i) => ({
      name: `${name} ${i === 0 ? 'before a passed' : 'before a cached'} read`,
      bytes: Buffer.from(around(bytes), 'latin1'),
      directly: Buffer.from(around(withoutOffer), 'latin1'),
      mayEnd,
    })),
);

describe.each(kinds)(
  'with lane $lane, before an application that is lenient: $lenient',
  (options) => {
    const onEach = stationsFor(() => Station.start(options));

    it('hostile requests do what they do without a front', async () => {
      const findings: string[] = [];
      const work = streams.entries();
      await onEach(async (station) => {
        for (const [number, { name, bytes, directly, mayEnd }] of work) {
          if (findings.length >= findingsMax) break;
          const direct = await station.direct(directly);
          for (const segmentation of segmentationsOf(number)) {
            const found = await station.compare({ bytes, segmentation, direct, mayEnd });
            findings.push(...found.map((each) => `${name}, ${segmentation.name}: ${each}`));
          }
        }
      });
      expect(findings).toEqual([]);
    }, 60_000);

    it('good requests do, too, cut in two at any byte', async () => {
      const bytes = Buffer.from(
        cachedRead('1') + passedRead('2') + put + cachedRead('3') + chunked + cachedRead('4') + odd,
        'latin1',
      );
      const findings: string[] = [];
      const cuts = Array.from(bytes.keys()).slice(1).values();
      await onEach(async (station) => {
        const direct = await station.direct(bytes);
        for (const at of cuts) {
          if (findings.length >= findingsMax) break;
          const sending = { bytes, segmentation: cutAt(at), direct, mayEnd: false };
          const found = await station.compare(sending);
          findings.push(...found.map((each) => `cut at ${at}: ${each}`));
        }
      });
      expect(findings).toEqual([]);
    }, 60_000);
  },
);

const put = `${head('PUT', 'Content-Length: 5')}hello`;
const chunked = `${head('POST', 'Transfer-Encoding: chunked')}3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`;
/** Raw from here. */
const odd = head('GET', 'X: y\x80') + passedRead('5');

function segmentationsOf(number: number): readonly Segmentation[] {
  const chance = new Chance(number);
  const cut = number % 2 === 0 ? byteByByte : atRandom(chance);
  return [number % 4 < 2 ? whole : pausing(chance), cut];
}
