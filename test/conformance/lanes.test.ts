/**
 * The transcript with native lanes: what a lane answers by itself, on a connection that it holds, is what the real server
 * answered, to the byte. A case's answer is published by its third pass; then its request comes several times on one
 * connection, of which the first gives the connection to a lane.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { GroupRun, type RunOptions } from './group-run.ts';
import { unequal } from './outcomes.ts';
import {
  answersOf,
  RecordedBodies,
  type RecordedCase,
  type RecordedGroup,
  readCases,
  readGroups,
} from './transcript.ts';

const cases = readCases();
const groups = readGroups();
const bodies = new RecordedBodies();
// Each role is killed with this process, and several groups have theirs at a time.
process.setMaxListeners(30);
/** A miss, a hit that is prepared, a prepared hit that is published. */
const passesBefore = 3;
/** The event loop answers the first of a connection. */
const times = 3;

interface Variant extends Pick<RunOptions, 'transport'> {
  readonly lanes: number;
  /** Absent: all. */
  readonly groups?: readonly string[];
  /** Answered by lanes, in all groups. */
  readonly laneRequestsMin: number;
}

/** Three of four cases are theirs; a group mostly takes the time that its roles need to start. */
const largest = ['main', 'crafted', 'jwt'];

const variants: readonly Variant[] = [
  { transport: 'ucx', lanes: 1, laneRequestsMin: 400 },
  { transport: 'inproc', lanes: 0, groups: largest, laneRequestsMin: 0 },
  { transport: 'inproc', lanes: 2, groups: [...largest, 'ec', 'mimeglobs'], laneRequestsMin: 400 },
  { transport: 'inproc', lanes: 4, groups: largest, laneRequestsMin: 400 },
];

/** One request for one answer, behind which the connection stays open. */
function isRepeatable(recorded: RecordedCase): boolean {
  const { method } = recorded.request;
  const [answer, ...others] = answersOf(recorded);
  if (answer === undefined || others.length > 0 || (recorded.expect ?? 1) !== 1) return false;
  if (answer.eof === true || !answer.complete || answer.framing === 'eof') return false;
  const closes = answer.headers.some(
    ([name, value]) => name.toLowerCase() === 'connection' && /close/i.test(value),
  );
  return (method === 'GET' || method === 'HEAD') && answer.open !== false && !closes;
}

describe.each(variants)('over $transport with $lanes lanes', (variant) => {
  const { laneRequestsMin, groups: chosen = Object.keys(groups), ...options } = variant;
  let repeated = 0;
  let laneRequests = 0;

  // Behind the public port there is no /status, so that an inproc proxy of it could confirm no volume.
  const names = chosen.filter((group) => group !== 'public' || options.transport !== 'inproc');
  // Roles mostly wait for each other until they are ready.
  test.concurrent.each(names)('%s: equal bytes, again and again on a connection', async (group) => {
    const ofGroup = cases.filter((each) => each.group === group && isRepeatable(each));
    const recorded = groups[group] as RecordedGroup;
    const common = { group, recorded, cases: ofGroup, bodies, lane: true, tls: 'auto' };
    const run = await GroupRun.start({ ...common, ...options });
    try {
      for (let pass = 1; pass <= passesBefore; pass += 1) {
        expect(unequal(`pass ${pass}`, await run.pass())).toEqual([]);
      }
      expect(await run.repeatedPass(ofGroup, times)).toEqual([]);
      repeated += ofGroup.length * times;
      laneRequests += await run.laneRequests();
    } finally {
      const codes = await run.close();
      expect(codes.every((code) => code === 0)).toBe(true);
    }
  });

  test('lanes answered what they are there for', () => {
    if (options.lanes === 0) expect(laneRequests).toBe(0);
    else expect(laneRequests).toBeGreaterThanOrEqual(laneRequestsMin);
  });

  afterAll(() => {
    console.log(
      `${options.transport}, ${options.lanes} lanes: ${laneRequests} of ${repeated} answered by them`,
    );
  });
});
