/**
 * Requests of the hostile lists, changed at random: nobody thought of these. `HOSTILE_RUNS` sets how many, and
 * `HOSTILE_SEED` where to begin: the number in a finding's name, to see it alone.
 */
import { describe, expect, it } from 'vitest';
import { hostileRequests } from './hostile-lists.ts';
import { head, smuggled } from './hostile-request.ts';
import { atRandom, Chance, whole } from './segments.ts';
import { cachedRead, passedRead, Station } from './station.ts';
import { kinds, stationsFor } from './stations.ts';

const runCount = Number(process.env['HOSTILE_RUNS'] ?? 250);
const firstSeed = Number(process.env['HOSTILE_SEED'] ?? 1);
const findingsMax = 20;

/** Long ones are long for one reason alone; behind an offer to switch protocols, the application reads nothing more. */
const seeds: readonly string[] = hostileRequests
  .filter(({ withoutOffer }) => withoutOffer === undefined)
  .map(({ bytes }) => bytes)
  .filter((bytes) => bytes.length < 1_000);

const pieces: readonly string[] = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    '\n\n',
    ' ',
    '\t',
    '\0',
    ':',
    ',',
    ';',
    '\xff',
    '\x0b',
    '0',
    '5',
  ],
  ...['HTTP/1.0', 'HTTP/1.1', 'GET ', 'POST ', 'Host: b\r\n', 'chunked', 'close', ' \r\n', '\r\n '],
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'content-length:40\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, x\r\n',
  'Connection: keep-alive\r\n',
  'Connection: Upgrade\r\n',
  'Proxy-Connection: keep-alive\r\n',
  'Expect: 100-continue\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  smuggled,
  head('PUT', 'Content-Length: 5'),
];

function mutated(chance: Chance): string {
  let text = chance.oneOf(seeds);
  for (let changes = 1 + chance.below(3); changes > 0; changes -= 1) {
    const at = chance.below(text.length + 1);
    const end = Math.min(text.length, at + 1 + chance.below(8));
    switch (chance.below(5)) {
      case 0:
        text = text.slice(0, at) + text.slice(end);
        break;
      case 1:
        text = text.slice(0, end) + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + String.fromCharCode(chance.below(256)) + text.slice(at + 1);
        break;
      default:
        text = text.slice(0, at) + chance.oneOf(pieces) + text.slice(at);
    }
  }
  return text;
}

describe.each(kinds)(
  'with lane $lane, before an application that is lenient: $lenient',
  (options) => {
    const onEach = stationsFor(() => Station.start(options));

    it(
      `${runCount} mutated requests do what they do without a front`,
      async () => {
        const findings: string[] = [];
        let seed = firstSeed;
        await onEach(async (station) => {
          while (seed < firstSeed + runCount && findings.length < findingsMax) {
            const chance = new Chance(seed);
            seed += 1;
            const name = seed - 1;
            const bytes = Buffer.from(
              cachedRead('first') + mutated(chance) + mutated(chance) + passedRead('last'),
              'latin1',
            );
            const direct = await station.direct(bytes);
            const mayEnd = /chunked/i.test(bytes.toString('latin1'));
            for (const segmentation of [whole, atRandom(chance)]) {
              const found = await station.compare({ bytes, segmentation, direct, mayEnd });
              findings.push(
                ...found.map(
                  (each) =>
                    `seed ${name}, ${segmentation.name}: ${JSON.stringify(bytes.toString('latin1'))} ${each}`,
                ),
              );
            }
          }
        });
        expect(findings).toEqual([]);
      },
      60_000 + runCount * 20,
    );
  },
);
