/** The transcript with the real volume server behind the proxy, where WEED_BIN names one. */
import { describe, expect, test } from 'vitest';
import { GroupRun } from './group-run.ts';
import { unequal } from './outcomes.ts';
import { canStartRealServer } from './real-server.ts';
import { RecordedBodies, type RecordedGroup, readCases, readGroups } from './transcript.ts';

const weed = process.env['WEED_BIN'];
const groups = readGroups();
const cases = readCases();
const bodies = new RecordedBodies();

describe.skipIf(!canStartRealServer(weed))('in front of the real volume server', () => {
  let cacheHits = 0;

  test.each(Object.keys(groups))(
    '%s: equal to the recording',
    async (group) => {
      const run = await GroupRun.start({
        group,
        recorded: groups[group] as RecordedGroup,
        cases: cases.filter((each) => each.group === group),
        bodies,
        transport: 'ucx',
        lane: true,
        tls: 'auto',
        weed: weed as string,
      });
      try {
        // Then from the cache, and then prepared.
        for (const pass of ['first', 'second', 'third']) {
          const results = await run.pass();
          expect(unequal(pass, results)).toEqual([]);
          expect(results.length).toBeGreaterThan(0);
        }
        cacheHits += await run.cacheHits();
      } finally {
        await run.close();
      }
    },
    120_000,
  );

  test('needles came from the cache', () => {
    expect(cacheHits).toBeGreaterThanOrEqual(800);
  });
});
