/** The origin against the recording: what it answers at all it answers as the real server does. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { isPlainNeedle } from './plain-needle.ts';
import { judge, replay } from './replay.ts';
import {
  fixturesFolder,
  RecordedBodies,
  type RecordedCase,
  readCases,
  readStatusRows,
} from './transcript.ts';

const folder = mkdtempSync(join(tmpdir(), 'origin-'));
const ofMain = readCases().filter((each) => each.group === 'main');
const volumeIds = new Set(readStatusRows('data/main').map((row) => row.Id));
let origin: RoleProcess;

beforeAll(async () => {
  cpSync(join(fixturesFolder, 'data/main'), folder, { recursive: true });
  origin = await startRole('origin', { args: ['--dir', folder, '--listen', '127.0.0.1:0'] });
});

afterAll(async () => {
  expect(await origin.stop()).toBe(0);
  rmSync(folder, { recursive: true });
});

describe('the origin answers as recorded', () => {
  test('plain needles', async () => {
    const plain = ofMain.filter((each) => isPlainNeedle(each, volumeIds));
    expect(plain.length).toBeGreaterThan(250);
    expect(await failures(plain)).toEqual([]);
  });

  test.each([
    ['needles without data', /^main\/(read|head):empty\d?$|^main\/empty:any_cookie/],
    ['what is not there', /^main\/(read|head):deleted|^main\/cookie_mismatch/],
    ['paths that are none', /^main\/url:(vid|fid|delta|odd|root|only)/],
    ['other methods', /^main\/method:(OPTIONS|PATCH|TRACE)/],
  ])('%s', async (_, names) => {
    const chosen = ofMain.filter((each) => names.test(each.name));
    expect(chosen.length).toBeGreaterThan(0);
    expect(await failures(chosen)).toEqual([]);
  });
});

async function failures(cases: readonly RecordedCase[]): Promise<readonly string[]> {
  const port = Number(origin.bound['http']?.split(':')[1]);
  const tokens = new Map<string, string>();
  const bodies = new RecordedBodies();
  const target = { port, publicPort: port, bodies, isStubbed: false, tokens };
  const replayed = [];
  for (const recorded of cases) replayed.push(await replay(target, recorded));
  return replayed.flatMap((each) =>
    judge(target, each).map((line) => `${each.recorded.name}: ${line}`),
  );
}
