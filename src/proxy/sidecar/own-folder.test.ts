import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { foreignFolder } from './own-folder.ts';

const uid = process.getuid?.() ?? 0;
let above: string;
let dir: string;

beforeEach(() => {
  above = realpathSync(mkdtempSync(join(tmpdir(), 'seaweed-rdma-own-')));
  dir = join(above, 'temp');
  mkdirSync(dir);
  chmodSync(dir, 0o711);
});

afterEach(() => {
  rmSync(above, { recursive: true });
});

describe('a folder for temp files', () => {
  it('may be used where it is ours and closed, also below one that is sticky', () => {
    expect(foreignFolder(dir, uid)).toBeUndefined();
    chmodSync(above, 0o1777);
    expect(foreignFolder(dir, uid)).toBeUndefined();
  });

  it('may not where others can write to it', () => {
    chmodSync(dir, 0o777);
    expect(foreignFolder(dir, uid)).toMatch(/others may write to .*mode 0777.*chmod 0711/);
  });

  it('may not where others can put another one in its place', () => {
    chmodSync(above, 0o777);
    expect(foreignFolder(dir, uid)).toMatch(/others may write to .*above .*chmod go-w/);
  });

  it('may not where it is another user’s', () => {
    expect(foreignFolder(dir, uid + 1)).toMatch(/belongs to user/);
  });

  it.skipIf(uid !== 0)('may not below another user’s', () => {
    chownSync(above, 65_534, 65_534);
    expect(foreignFolder(dir, uid)).toMatch(/above .*belongs to user 65534/);
  });

  it('may be reached over links of ours, and made where it is missing', () => {
    symlinkSync(dir, join(above, 'absolute'));
    symlinkSync('./temp/../absolute', join(above, 'relative'));
    expect(foreignFolder(join(above, 'relative'), uid)).toBeUndefined();
    expect(foreignFolder(join(above, 'relative', '..', 'missing', 'too'), uid)).toBeUndefined();
  });

  it('may not be reached over a link in a folder of others', () => {
    const shared = join(above, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    symlinkSync(dir, join(shared, 'link'));
    expect(foreignFolder(join(shared, 'link'), uid)).toMatch(/others may write to .*shared"/);
  });

  it('may not be reached over links without end', () => {
    symlinkSync('loop', join(above, 'loop'));
    expect(foreignFolder(join(above, 'loop'), uid)).toMatch(/more than 40 symbolic links/);
  });

  const foreignLink = /"[^"]*planted" is a symbolic link of user 65534, .*: remove it, or name/;

  it.skipIf(uid !== 0).each([
    ['itself', 'planted', ''],
    ['on the way', 'planted', 'below'],
    ['behind a link of ours', 'ours', ''],
    ['to a folder that is missing', 'planted', 'missing'],
  ])('may not be reached over a link of another user %s', (_name, first, rest) => {
    chmodSync(above, 0o1777);
    mkdirSync(join(dir, 'below'), { mode: 0o711 });
    symlinkSync(dir, join(above, 'planted'));
    lchownSync(join(above, 'planted'), 65_534, 65_534);
    symlinkSync('planted', join(above, 'ours'));
    expect(foreignFolder(join(above, first, rest), uid)).toMatch(foreignLink);
  });
});
