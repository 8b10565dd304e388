/**
 * Requests of HTTP/1.0 and with odd headers: the same bytes as the real server's, the plain reads among them answered
 * here, and none of those makes its connection raw. With WEED_BIN the recording is compared with the server itself;
 * RECORD_ODD_REQUESTS=1 makes it anew.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CaseResult, GroupRun, type RunOptions } from './group-run.ts';
import { oddRequestsFile, oddRequestsOf, readOddCases, recordOddCases } from './odd-requests.ts';
import { unequal } from './outcomes.ts';
import { canStartRealServer, startRealServer } from './real-server.ts';
import { RecordedBodies, type RecordedGroup, readGroups } from './transcript.ts';

const weed = process.env['WEED_BIN'];
const recorded = readGroups()['main'] as RecordedGroup;
const bodies = new RecordedBodies();
const passCount = 3;
const plain = oddRequestsOf('plain');
const raw = oddRequestsOf('raw');

interface Variant extends Pick<RunOptions, 'transport' | 'lane'> {
  readonly program: string | undefined;
}

const variants: readonly Variant[] = [
  { transport: 'ucx', lane: true, program: undefined },
  { transport: 'inproc', lane: true, program: undefined },
  { transport: 'off', lane: true, program: undefined },
  { transport: 'inproc', lane: false, program: undefined },
  { transport: 'inproc', lane: true, program: weed },
  { transport: 'inproc', lane: false, program: weed },
];

describe.each(variants)('over $transport, lane $lane, before $program', (variant) => {
  const { program, ...options } = variant;
  const isReal = program !== undefined;
  const isSkipped = variants.indexOf(variant) > 3 && !canStartRealServer(program);

  test.skipIf(isSkipped)(
    'odd requests are answered as they were recorded',
    async () => {
      const run = await GroupRun.start({
        ...options,
        group: 'main',
        recorded,
        cases: readOddCases(),
        bodies,
        tls: 'auto',
        ...(isReal && { weed: program }),
      });
      try {
        const passes = [];
        while (passes.length < passCount) passes.push(await run.pass());
        expect(passes.flatMap((each, at) => unequal(`pass ${at + 1}`, each))).toEqual([]);
        if (options.lane) expect(await run.rawPipes()).toBe(raw.size * passCount);
        // Raw connections are counted when they end, whenever that is.
        const isAsked = ({ reached }: CaseResult): boolean => reached.some((by) => by !== 'raw');
        const asked = passes
          .slice(1)
          .flatMap((each) =>
            each.filter((result) => plain.has(result.recorded.name) && isAsked(result)),
          );
        const names = new Set(asked.map((each) => each.recorded.name));
        const isForeseen = (name: string): boolean =>
          options.transport === 'off' || (!options.lane && name.startsWith('odd/http10'));
        expect([...names].filter((name) => !isForeseen(name))).toEqual([]);
      } finally {
        await run.close();
      }
    },
    120_000,
  );
});

describe.skipIf(!canStartRealServer(weed))('the recording', () => {
  test('is what the real volume server says', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'odd-requests-'));
    const server = await startRealServer(weed as string, recorded, folder);
    try {
      const cases = await recordOddCases(Number(server.address.split(':')[1]));
      if (process.env['RECORD_ODD_REQUESTS'] === '1') {
        writeFileSync(oddRequestsFile, cases.map((each) => `${JSON.stringify(each)}\n`).join(''));
      }
      expect(cases).toEqual(readOddCases());
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
