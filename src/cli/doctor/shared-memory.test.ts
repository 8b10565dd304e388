import { describe, expect, it } from 'vitest';
import { settingsWith } from '../../../test/unit/doctor-settings.ts';
import { judgeSharedMemory } from './shared-memory.ts';

const full = { bytesTotal: 64 * 2 ** 20, bytesFree: 2 * 2 ** 20, isWritable: true };
const closed = { ...full, bytesFree: 60 * 2 ** 20, isWritable: false };
const roomy = { bytesTotal: 64 * 2 ** 20, bytesFree: 60 * 2 ** 20, isWritable: true };

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
    ['^posix', full, 'skip'],
    ['tcp', full, 'skip'],
  ] as const)('of tls = "%s" with %o is %s', (tls, room, result) => {
    expect(judgeSharedMemory(settingsWith({ tls }), room).result).toBe(result);
  });

  it('names /dev/shm and never the setting that is there already', () => {
    const { summary, fix } = judgeSharedMemory(settingsWith({ tls: 'auto' }), full);
    expect(summary).toContain('/dev/shm is full');
    expect(fix.join()).toContain('--shm-size');
    expect(fix.join()).not.toContain('tls');
  });
});
