/**
 * The whole transcript through target and proxy: the same bytes as the real server's, and plain live needles answered
 * here. Each group is replayed again: then nothing is left to be learned, and needles come from the cache. Where there
 * is a third time, their answers were prepared by the second.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { GroupRun, type RunOptions } from './group-run.ts';
import { plainButPassed, unequal } from './outcomes.ts';
import { RecordedBodies, type RecordedGroup, readCases, readGroups } from './transcript.ts';

const cases = readCases();
const groups = readGroups();
const bodies = new RecordedBodies();

/** What the first pass may say of a plain needle that it passed on. */
const learning = new Set(['learn-server', 'learn-type', 'volume-unconfirmed']);

interface Variant extends Pick<RunOptions, 'transport' | 'lane' | 'tls'> {
  readonly passes: number;
  /** Of all cases of all passes. */
  readonly cacheHitsMin: number;
}

const variants: readonly Variant[] = [
  { transport: 'ucx', lane: true, tls: 'auto', passes: 3, cacheHitsMin: 800 },
  { transport: 'ucx', lane: false, tls: 'tcp', passes: 2, cacheHitsMin: 400 },
  { transport: 'inproc', lane: true, tls: 'auto', passes: 3, cacheHitsMin: 800 },
  { transport: 'off', lane: true, tls: 'auto', passes: 2, cacheHitsMin: 0 },
];

describe.each(variants)(
  'over $transport, lane $lane, tls $tls',
  ({ passes, cacheHitsMin, ...variant }) => {
    let replayed = 0;
    let servedHere = 0;
    let cacheHits = 0;

    // Behind the public port there is no /status, so that an inproc proxy of it could confirm no volume.
    const names = Object.keys(groups).filter(
      (group) => group !== 'public' || variant.transport !== 'inproc',
    );
    test.each(names)(
      '%s: equal bytes, plain needles served here',
      async (group) => {
        const ofGroup = cases.filter((each) => each.group === group);
        const recorded = groups[group] as RecordedGroup;
        const run = await GroupRun.start({ group, recorded, cases: ofGroup, bodies, ...variant });
        try {
          const first = await run.pass();
          const later = [];
          while (later.length < passes - 1) later.push(await run.pass());
          const differences = later.flatMap((each, at) => unequal(`pass ${at + 2}`, each));
          expect([...unequal('first pass', first), ...differences]).toEqual([]);
          if (variant.transport !== 'off') {
            expect(plainButPassed(first, run.volumeIds, learning)).toEqual([]);
            for (const each of later) {
              expect(plainButPassed(each, run.volumeIds, new Set())).toEqual([]);
            }
          }
          const last = later.at(-1) ?? first;
          replayed += last.length;
          servedHere += last.filter((each) => each.reached.length === 0).length;
          cacheHits += await run.cacheHits();
        } finally {
          const codes = await run.close();
          expect(codes.every((code) => code === 0)).toBe(true);
        }
      },
      60_000,
    );

    test('needles came from the cache', () => {
      expect(cacheHits).toBeGreaterThanOrEqual(cacheHitsMin);
    });

    afterAll(() => {
      const counts = `${servedHere} of ${replayed} answered here`;
      console.log(
        `${variant.transport}: ${counts}, ${cacheHits} from the cache in ${passes} passes`,
      );
    });
  },
);
