import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isNamespaces, ownNamespaces } from './namespaces.ts';
import { sharedIpcText } from './obstacles.ts';

const own = { ipc: 'i', net: 'n', pid: 'p' };

test('a shared IPC namespace is told where another namespace is not shared', () => {
  expect(sharedIpcText(own, own)).toBeUndefined();
  expect(sharedIpcText(own, { ipc: 'other', net: 'o', pid: 'o' })).toBeUndefined();
  expect(sharedIpcText(own, { ...own, net: 'o' })).toMatch(/not the network namespace.*hostIPC/);
  expect(sharedIpcText(own, { ...own, pid: 'o' })).toContain('not the process namespace');
  expect(sharedIpcText(own, { ...own, net: 'o', pid: 'o' })).toContain('network and process');
});

test('namespaces of two kernels differ, though their numbers are the same', () => {
  const root = mkdtempSync(join(tmpdir(), 'namespaces-'));
  const machine = (boot: string): string => {
    const proc = join(root, boot);
    mkdirSync(join(proc, 'sys/kernel/random'), { recursive: true });
    mkdirSync(join(proc, 'self/ns'), { recursive: true });
    writeFileSync(join(proc, 'sys/kernel/random/boot_id'), boot);
    for (const kind of ['ipc', 'net', 'pid'])
      symlinkSync(`${kind}:[1]`, join(proc, 'self/ns', kind));
    return proc;
  };
  const [first, second] = [ownNamespaces(machine('a')), ownNamespaces(machine('b'))];
  expect(first?.ipc).not.toBe(second?.ipc);
  expect(ownNamespaces(join(root, 'none'))).toBeUndefined();
  expect(ownNamespaces()).toEqual(ownNamespaces());
  expect([first, ownNamespaces(), own].every(isNamespaces)).toBe(true);
  expect([undefined, null, 'x', { ipc: 'i' }, { ...own, net: 1 }].some(isNamespaces)).toBe(false);
  rmSync(root, { recursive: true });
});
