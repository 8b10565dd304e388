/** Layer 6: file descriptors. */
import {
  descriptorAdvice,
  descriptorsOfProgram,
  descriptorsOfVolume,
} from '../../rdma/descriptors.ts';
import { entriesOf } from '../../rdma/machine-files.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { ProcessFacts } from './processes.ts';
import type { Settings } from './setup.ts';

/** A client's connection may need one to the volume server as well, a session one of UCX's TCP. */
const perConnection = 2;
/** Beyond its `limits.connections` a proxy holds those that made place and still send: src/proxy/front/listener.ts. */
const lingeringShare = 1 / 8;

/** Counts the volumes that a target, or a proxy with inproc, holds open. A directory that cannot be listed has none. */
export function countVolumes(dirs: readonly string[]): number {
  return dirs.flatMap(entriesOf).filter((name) => /^(?:.+_)?\d+\.dat$/.test(name)).length;
}

export function judgeLimits(
  { openFilesMax, of }: ProcessFacts,
  settings: Settings | undefined,
  volumes: number,
): readonly Finding[] {
  const limit = `limit of ${of}: ${openFilesMax === Number.POSITIVE_INFINITY ? 'unlimited' : openFilesMax}`;
  if (Number.isNaN(openFilesMax)) return [skip('descriptors', 'the limit cannot be read')];
  if (settings === undefined) {
    return [
      skip('descriptors', limit, ['would compare it with limits.connections or rdma.max_sessions']),
    ];
  }
  const { key, count } = settings.descriptors;
  const ofVolumes = descriptorsOfVolume * volumes;
  const lingering = settings.role === 'proxy' ? Math.ceil(count * lingeringShare) : 0;
  const others = lingering + descriptorsOfProgram + ofVolumes;
  const least = count + others;
  const most = count * perConnection + others;
  const when = settings.role === 'proxy' ? 'when all pass through' : 'over TCP';
  const evidence = [
    limit,
    `${key} = ${count}${volumes === 0 ? '' : ` and ${volumes} volumes`}: ${least} descriptors, up to ${most} ${when}`,
  ];
  if (openFilesMax >= least) {
    return [ok('descriptors', `${openFilesMax} may be open`, evidence)];
  }
  const what =
    volumes === 0 ? `${key} = ${count} needs` : `${volumes} volumes and ${key} = ${count} need`;
  const trouble = {
    summary: `${openFilesMax} may be open, ${what} ${least}, and ${most} ${when}`,
    evidence,
    fix: [descriptorAdvice(most), `or a smaller ${key}`] as const,
  };
  const isFailing = openFilesMax < Math.max(count, ofVolumes);
  return [isFailing ? fail('descriptors', trouble) : warn('descriptors', trouble)];
}
