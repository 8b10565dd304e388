/**
 * The whole transcript through target and proxy: the same bytes as the real server's, and plain live needles answered
 * here. Each group is replayed twice: the second time nothing is left to be learned.
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

const variants: readonly Pick<RunOptions, 'transport' | 'lane' | 'tls'>[] = [
  { transport: 'ucx', lane: true, tls: 'auto' },
  { transport: 'ucx', lane: false, tls: 'tcp' },
  { transport: 'inproc', lane: true, tls: 'auto' },
  { transport: 'off', lane: true, tls: 'auto' },
];

describe.each(variants)('over $transport, lane $lane, tls $tls', (variant) => {
  let replayed = 0;
  let servedHere = 0;

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
        const second = await run.pass();
        expect([...unequal('first pass', first), ...unequal('second pass', second)]).toEqual([]);
        if (variant.transport !== 'off') {
          expect(plainButPassed(first, run.volumeIds, learning)).toEqual([]);
          expect(plainButPassed(second, run.volumeIds, new Set())).toEqual([]);
        }
        replayed += second.length;
        servedHere += second.filter((each) => each.reached.length === 0).length;
      } finally {
        const codes = await run.close();
        expect(codes.every((code) => code === 0)).toBe(true);
      }
    },
    60_000,
  );

  afterAll(() => {
    console.log(`${variant.transport}: ${servedHere} of ${replayed} answered here`);
  });
});
