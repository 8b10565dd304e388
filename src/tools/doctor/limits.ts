/** Layer 6: file descriptors. */
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { ProcessFacts } from './processes.ts';
import type { Settings } from './setup.ts';

/** Node, the native part, logs, volume files and what UCX opens. */
const descriptorsOfProgram = 256;

/** A client's connection may need one to the volume server as well. */
const perConnection = { proxy: 2, target: 1 } as const;

export function judgeLimits(
  { openFilesMax, of }: ProcessFacts,
  settings: Settings | undefined,
): readonly Finding[] {
  const limit = `limit of ${of}: ${openFilesMax === Number.POSITIVE_INFINITY ? 'unlimited' : openFilesMax}`;
  if (Number.isNaN(openFilesMax)) return [skip('descriptors', 'the limit cannot be read')];
  if (settings === undefined) {
    return [
      skip('descriptors', limit, ['would compare it with limits.connections or rdma.max_sessions']),
    ];
  }
  const { key, count } = settings.descriptors;
  const each = perConnection[settings.role];
  const least = count + descriptorsOfProgram;
  const most = count * each + descriptorsOfProgram;
  const evidence = [
    limit,
    `${key} = ${count}: ${least} descriptors${most > least ? `, up to ${most} when all pass through` : ''}`,
  ];
  if (openFilesMax >= least) {
    return [ok('descriptors', `${openFilesMax} may be open`, evidence)];
  }
  const trouble = {
    summary: `${openFilesMax} may be open, ${key} = ${count} needs ${least}`,
    evidence,
    fix: [
      `systemd: LimitNOFILE=${most}; a shell: ulimit -n ${most}; Docker: --ulimit nofile=${most}`,
      `or a smaller ${key}`,
    ] as const,
  };
  return [openFilesMax < count ? fail('descriptors', trouble) : warn('descriptors', trouble)];
}
