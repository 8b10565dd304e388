/** Layer 7: is the clock kept, and does the volume server's agree. Needles with a TTL and read tokens depend on it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { VolumeServerFacts } from './volume-server.ts';

export interface ClockFacts {
  /** undefined: nothing on this machine tells. */
  readonly isSynchronized: boolean | undefined;
  readonly source: string;
}

const run = promisify(execFile);

export async function gatherClock(timeoutMs: number): Promise<ClockFacts> {
  const text = async (command: string, args: readonly string[]): Promise<string> =>
    (await run(command, [...args], { timeout: timeoutMs }).catch(() => ({ stdout: '' }))).stdout;
  const [tracking, timedate] = await Promise.all([
    text('chronyc', ['-n', 'tracking']),
    text('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']),
  ]);
  const leap = /^Leap status\s*:\s*(.+)$/m.exec(tracking)?.[1];
  if (leap !== undefined) {
    const offset = /^System time\s*:\s*(.+)$/m.exec(tracking)?.[1] ?? '';
    return { isSynchronized: leap === 'Normal', source: `chronyc tracking: ${leap}, ${offset}` };
  }
  const answer = timedate.trim();
  if (answer === 'yes' || answer === 'no') {
    const isSynchronized = answer === 'yes';
    return { isSynchronized, source: `timedatectl: NTPSynchronized=${answer}` };
  }
  if (existsSync('/run/systemd/timesync/synchronized')) {
    return { isSynchronized: true, source: '/run/systemd/timesync/synchronized' };
  }
  return { isSynchronized: undefined, source: 'neither chronyc nor timedatectl answers' };
}

/** The header's whole second and the way there and back stay below it. */
export const differenceMsMax = 2_000;
/** A read token of the filer lives 10 s by default. */
export const differenceMsFail = 10_000;

export function judgeClock(
  { isSynchronized, source }: ClockFacts,
  servers: readonly VolumeServerFacts[],
): readonly Finding[] {
  const known = servers.filter(({ clockAheadMs }) => clockAheadMs !== undefined);
  return [
    clockSync(isSynchronized, source),
    ...(known.length === 0
      ? [
          skip('clock-difference', 'no volume server answered with a Date', [
            'would compare its Date header with this clock',
          ]),
        ]
      : known.map(clockDifference)),
  ];
}

function clockSync(isSynchronized: boolean | undefined, source: string): Finding {
  if (isSynchronized === undefined) {
    return skip('clock-sync', 'this machine does not tell (a container: its host does)', [source]);
  }
  if (isSynchronized) return ok('clock-sync', 'kept by NTP', [source]);
  return warn('clock-sync', {
    summary: 'the clock is not kept by NTP',
    evidence: [source],
    fix: ['timedatectl set-ntp true, or start chronyd'],
  });
}

function clockDifference({ url, clockAheadMs = 0 }: VolumeServerFacts): Finding {
  const seconds = Math.abs(clockAheadMs) / 1000;
  const shown = `${seconds.toFixed(1)} s ${clockAheadMs < 0 ? 'behind' : 'ahead of'} this clock`;
  const evidence = [`${url}: its Date header is ${shown} (whole seconds, so within ± 1 s)`];
  if (Math.abs(clockAheadMs) <= differenceMsMax) {
    return ok('clock-difference', `${url}: the clocks agree`, evidence);
  }
  const trouble = {
    summary: `${url}: its clock is ${shown}`,
    evidence,
    fix: [
      'on both hosts: timedatectl set-ntp true, or start chronyd (needles with a TTL expire, and read tokens are taken, by the clock)',
    ] as const,
  };
  const isFar = Math.abs(clockAheadMs) >= differenceMsFail;
  return isFar ? fail('clock-difference', trouble) : warn('clock-difference', trouble);
}
