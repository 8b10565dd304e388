import { describe, expect, it } from 'vitest';
import { type ShmRoom, shmShortage, startWithShm } from './shared-memory.ts';
import type { SysvRoom } from './sysv-memory.ts';

const mib = 2 ** 20;
const full = { bytesTotal: 64 * mib, bytesFree: 2 * mib, isWritable: true };
const roomy = { bytesTotal: 64 * mib, bytesFree: 60 * mib, isWritable: true };
const enough = {
  segmentsMax: 4096,
  segmentsUsed: 0,
  pagesMax: 2 ** 40,
  bytesUsed: 0,
  segmentBytesMax: 2 ** 50,
};
const at = (shm: ShmRoom | undefined, sysv: SysvRoom | undefined = enough) => ({
  shm: () => shm,
  sysv: () => sysv,
});
const noResource = 'ucp_worker_create: No resources are available to initiate the operation';

describe('/dev/shm', () => {
  it('has room, or says how much it lacks and what to do', () => {
    expect(shmShortage(roomy)).toBeUndefined();
    expect(shmShortage({ ...roomy, bytesFree: 5 * mib })).toBeUndefined();
    expect(shmShortage(full)).toMatch(/2 MiB of 64 MiB free.*5 MiB.*--shm-size.*medium: Memory/);
    expect(shmShortage(undefined)).toMatch(/^there is no \/dev\/shm: mount a tmpfs/);
    expect(shmShortage({ ...roomy, isWritable: false })).toMatch(
      /^\/dev\/shm cannot be written: mount/,
    );
  });
});

describe('a worker', () => {
  /** Starts with these alone. */
  function creating(...starts: readonly string[]) {
    const asked: string[] = [];
    const create = (tls: string): string => {
      asked.push(tls);
      if (!starts.includes(tls)) throw new Error(noResource);
      return tls;
    };
    return { asked, create };
  }
  const auto = { tls: 'auto', transports: 'all' };

  it('loses nothing where it starts', () => {
    const { asked, create } = creating('auto');
    expect(startWithShm(auto, create, at(full))).toEqual({ made: 'auto', loss: undefined });
    expect(asked).toEqual(['auto']);
  });

  it('that starts where there is no /dev/shm says what it lacks', () => {
    const { create } = creating('auto', 'tcp');
    const reason = expect.stringContaining('there is no /dev/shm');
    expect(startWithShm(auto, create, at(undefined)).loss).toEqual({ tls: 'auto', reason });
    const tcp = { tls: 'tcp', transports: 'tcp' };
    expect(startWithShm(tcp, create, at(undefined)).loss).toBeUndefined();
  });

  it.each(['^posix', '^sm'])('goes on with %s', (tls) => {
    const { create } = creating(tls);
    const { made, loss } = startWithShm(auto, create, at(full));
    expect(made).toBe(tls);
    expect(loss).toEqual({ tls, reason: expect.stringContaining('/dev/shm has 2 MiB of 64 MiB') });
    expect(loss?.reason).toContain(noResource);
  });

  it.each([
    [{ segmentsMax: 0 }, 'kernel.shmmni'],
    [{ segmentsMax: 9, segmentsUsed: 8 }, 'kernel.shmmni'],
    [{ pagesMax: 1_000 }, 'kernel.shmall'],
    [{ segmentBytesMax: 100_000 }, 'kernel.shmmax'],
  ])('goes on without System V memory where %o is the cause', (limits, name) => {
    const { asked, create } = creating('^sysv', '^sm');
    const { made, loss } = startWithShm(auto, create, at(roomy, { ...enough, ...limits }));
    expect(made).toBe('^sysv');
    expect(loss?.reason).toContain(name);
    expect(loss?.reason).not.toContain('/dev/shm');
    expect(asked).toEqual(['auto', '^sysv']);
  });

  it('goes on with what starts, and tells the cause by it', () => {
    const none = { ...enough, segmentsMax: 0 };
    expect(startWithShm(auto, creating('^sysv').create, at(roomy)).loss).toMatchObject({
      tls: '^sysv',
      reason: expect.stringContaining('ipcs -l'),
    });
    expect(startWithShm(auto, creating('^sm').create, at(full, none)).loss).toMatchObject({
      tls: '^sm',
      reason: expect.stringMatching(/\/dev\/shm has .*kernel\.shmmni/),
    });
    const sysv = { tls: 'sysv', transports: 'sysv' };
    const start = (): unknown => startWithShm(sysv, creating().create, at(full, none));
    expect(start).toThrow(/^System V .*kernel\.shmmni/);
    expect(() => startWithShm(sysv, creating().create, at(full))).toThrow(/^ucp_worker_create/);
  });

  it('that was to have certain transports fails, and names /dev/shm', () => {
    const { asked, create } = creating('^posix');
    const chosen = { tls: 'posix', transports: 'posix' };
    expect(() => startWithShm(chosen, create, at(full))).toThrow(/\/dev\/shm has .*--shm-size/);
    expect(() => startWithShm(chosen, create, at(roomy))).toThrow(noResource);
    expect(asked).toEqual(['posix', 'posix']);
  });

  it('fails with the first cause where it does not start without either, or for another one', () => {
    expect(() => startWithShm(auto, creating().create, at(roomy))).toThrow(noResource);
    const device = (): never => {
      throw new Error('ucp_init (device_name=x, tls=auto): No such device');
    };
    expect(() => startWithShm(auto, device, at(full))).toThrow(/^ucp_init/);
  });
});
