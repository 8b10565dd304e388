import { describe, expect, it } from 'vitest';
import { settingsWith } from '../../../test/unit/doctor-settings.ts';
import { judgeSharedMemory } from './shared-memory.ts';

const full = { bytesTotal: 64 * 2 ** 20, bytesFree: 2 * 2 ** 20, isWritable: true };
const closed = { ...full, bytesFree: 60 * 2 ** 20, isWritable: false };
const roomy = { bytesTotal: 64 * 2 ** 20, bytesFree: 60 * 2 ** 20, isWritable: true };

const enough = {
  segmentsMax: 4096,
  segmentsUsed: 0,
  pagesMax: 2 ** 40,
  bytesUsed: 0,
  segmentBytesMax: 2 ** 50,
};

describe('shared-memory', () => {
  it.each([
    ['auto', full, 'warn'],
    ['auto', roomy, 'ok'],
    ['auto', undefined, 'warn'],
    ['auto', closed, 'warn'],
    ['posix', closed, 'fail'],
    ['posix', undefined, 'warn'],
    ['tcp,\\posix', full, 'fail'],
    ['tcp,posix', full, 'fail'],
    ['sm', full, 'fail'],
    ['^tcp', full, 'fail'],
    ['^posix', full, 'ok'],
    ['^sm', full, 'skip'],
    ['tcp', full, 'skip'],
  ] as const)('of tls = "%s" with %o is %s', (tls, room, result) => {
    expect(judgeSharedMemory(settingsWith({ tls }), room, enough).result).toBe(result);
  });

  it.each([
    ['auto', 'warn'],
    ['sysv,tcp', 'fail'],
    ['^posix', 'fail'],
    ['posix,tcp', 'ok'],
  ])('of tls = "%s" where the kernel admits no System V segment is %s', (tls, result) => {
    const none = { ...enough, segmentsMax: 0 };
    const finding = judgeSharedMemory(settingsWith({ tls }), roomy, none);
    expect(finding.result).toBe(result);
    expect(finding.summary.includes('kernel.shmmni is too low')).toBe(result !== 'ok');
    expect(finding.summary).not.toContain('/dev/shm');
  });

  it('names /dev/shm and never the setting that is there already', () => {
    const { summary, fix } = judgeSharedMemory(settingsWith({ tls: 'auto' }), full, enough);
    expect(summary).toContain('/dev/shm is full');
    expect(fix.join()).toContain('--shm-size');
    expect(fix.join()).not.toContain('tls');
  });
});
