/** The instrument is checked first: the stub, replayed without a proxy, must pass every case. */
import { describe, expect, test } from 'vitest';
import { judge, replay } from './replay.ts';
import { RecordedBodies, readCases, readGroups, readStatusRows } from './transcript.ts';
import { UpstreamStub } from './upstream-stub.ts';

const cases = readCases();
const bodies = new RecordedBodies();

describe('the recorded volume server, played back', () => {
  test.each(Object.keys(readGroups()))('%s answers as recorded', async (group) => {
    const options = { bodies, needsToken: group === 'jwt', peer: '127.0.0.9:14' };
    const ofGroup = cases.filter((each) => each.group === group);
    const main = await UpstreamStub.start({
      ...options,
      cases: ofGroup.filter((each) => each.port !== 'public'),
      statusRows: readStatusRows('data/main'),
    });
    const open = await UpstreamStub.start({
      ...options,
      cases: ofGroup.filter((each) => each.port === 'public'),
      statusRows: undefined,
    });
    const tokens = new Map([
      ['127.0.0.9:14', '{{PEER}}'],
      [main.address, '{{SELF}}'],
    ]);
    const target = { port: main.port, publicPort: open.port, bodies, isStubbed: true, tokens };
    const replayed = [];
    for (const recorded of ofGroup) replayed.push(await replay(target, recorded));
    const failures = replayed.flatMap((each) =>
      judge(target, each).map((line) => `${each.recorded.name}: ${line}`),
    );
    await Promise.all([main.close(), open.close()]);
    expect(failures).toEqual([]);
    expect(replayed.length).toBe(ofGroup.length);
  });

  test('the transcript is whole', () => {
    expect(cases.length).toBe(982);
  });
});
