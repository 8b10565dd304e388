import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { judgeProgram, newerSource, type ProgramFacts } from './program.ts';

const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sound: ProgramFacts = {
  version: '1.0.0',
  nodeVersion: 'v24.0.0',
  nodeAbi: '137',
  napiVersion: '10',
  addonPath: '/package/build/Release/seaweed_rdma.node',
  addonExists: true,
  newerSource: '',
  addonFailure: '',
  hasUcx: true,
  ucxVersion: '1.13.1',
  protocolVersion: 2,
};

function judged(change: Partial<ProgramFacts>): readonly string[] {
  return judgeProgram({ ...sound, ...change }).map(({ name, result, fix }) =>
    `${name} ${result} ${fix[0] ?? ''}`.trim(),
  );
}

describe('the program', () => {
  test('is sound where Node is new enough and the addon loads', () => {
    expect(judged({})).toEqual(['node-version ok', 'addon ok']);
  });

  test.each<[string, Partial<ProgramFacts>, string]>([
    ['an old Node', { nodeVersion: 'v20.11.0' }, 'node-version fail install Node 22'],
    ['an addon that is not built', { addonExists: false }, 'addon fail npm run setup'],
    [
      'one that cannot be loaded',
      { addonFailure: 'libucp.so.0: cannot open' },
      'addon fail npm run build:native',
    ],
    ['one without UCX', { hasUcx: false }, 'addon warn install libucx-dev'],
    ['one older than its sources', { newerSource: '/a.cc' }, 'addon warn npm run build:native'],
  ])('names the fix for %s', (_what, change, wanted) => {
    expect(judged(change).join('\n')).toContain(wanted);
  });
});

test('a source is newer when it was changed after the addon was built; tests of it do not count', () => {
  const sources = join(folder, 'native');
  mkdirSync(join(sources, 'room'), { recursive: true });
  const built = join(folder, 'addon.node');
  const place = (path: string, second: number): void => {
    writeFileSync(path, '');
    utimesSync(path, second, second);
  };
  place(built, 2000);
  place(join(sources, 'room', 'old.cc'), 1000);
  place(join(sources, 'room', 'new_test.cc'), 3000);
  expect(newerSource(sources, built)).toBe('');
  place(join(sources, 'room', 'new.h'), 3000);
  expect(newerSource(sources, built)).toBe(join(sources, 'room', 'new.h'));
  expect(newerSource(join(folder, 'installed'), built)).toBe('');
});
