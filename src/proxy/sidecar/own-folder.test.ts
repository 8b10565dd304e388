import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
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
});
