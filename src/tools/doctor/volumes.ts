/** Layer 12: what each target announces, beside what its volume server lists. */
import type { TargetVolume } from '../../rdma/needle-fetcher.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { Settings } from './setup.ts';
import { shownIds, type VolumeServerFacts } from './volume-server.ts';

export interface Announcement {
  /** "host:port", or "inproc". */
  readonly name: string;
  /** undefined: there is no session. */
  readonly volumes: readonly TargetVolume[] | undefined;
  readonly server: VolumeServerFacts | undefined;
}

export function judgeVolumes(
  settings: Settings | undefined,
  announcements: readonly Announcement[],
): readonly Finding[] {
  if (settings === undefined) {
    const would = 'would compare what each target announces with GET /status of its volume server';
    return [skip('announced-volumes', 'needs a configuration', [would])];
  }
  if (announcements.length === 0) return [skip('announced-volumes', 'no target is asked')];
  return announcements.map((announcement) => announced(announcement, settings));
}

function announced({ name, volumes, server }: Announcement, settings: Settings): Finding {
  if (volumes === undefined) return skip('announced-volumes', `${name}: no session`);
  const ids = volumes.map(({ volumeId }) => volumeId);
  const unconfirmed = volumes.filter(({ confirmed }) => !confirmed).map((v) => v.volumeId);
  const evidence = [
    `${name} announces ${ids.length}: ${shownIds(ids)}${unconfirmed.length === 0 ? '' : `; not confirmed: ${shownIds(unconfirmed)}`}`,
  ];
  if (server?.volumes === undefined) {
    return skip('announced-volumes', `${name}: no list of its volume server`, evidence);
  }
  evidence.push(`${server.url} lists ${server.volumes.length}: ${shownIds(server.volumes)}`);
  const missing = server.volumes.filter((id) => !ids.includes(id));
  const foreign = ids.filter((id) => !server.volumes?.includes(id));
  const dirs = settings.storage?.key ?? 'target.dirs';
  if (missing.length > 0) {
    return fail('announced-volumes', {
      summary: `the server lists volumes that ${name} does not announce: ${shownIds(missing)}; their reads pass through`,
      evidence,
      fix: [
        `on the target's host: set ${dirs} to every directory of the volume server's -dir list (and target.idx_dirs to its -dir.idx)`,
        'seaweed-rdma volume inspect DIR names what is not supported (tiered, erasure coded)',
      ],
    });
  }
  if (ids.length > 0 && unconfirmed.length === ids.length && settings.transport === 'ucx') {
    return fail('announced-volumes', {
      summary: `${name}: its volume server confirms none of its volumes`,
      evidence,
      fix: [
        "on the target's host: set target.volume_server_url to the volume server of these directories, and let the target reach it",
      ],
    });
  }
  if (foreign.length > 0) {
    return warn('announced-volumes', {
      summary: `${name} announces volumes that the server does not list: ${shownIds(foreign)}`,
      evidence,
      fix: [
        `set ${settings.volumeServerKey} to the volume server that the target stands beside; weed shell: volume.mount for volumes that were unmounted`,
      ],
    });
  }
  return ok(
    'announced-volumes',
    `${name} announces all ${ids.length} volumes of ${server.url}`,
    evidence,
  );
}
