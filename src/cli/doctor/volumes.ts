/** Layer 12: what each target announces, beside what its volume server lists. */
import type { TargetVolume } from '../../rdma/needle-fetcher.ts';
import { type Finding, fail, ok, skip, warn } from './check.ts';
import type { MissingVolume } from './missing-volumes.ts';
import type { Settings } from './setup.ts';
import { shownIds, type VolumeServerFacts } from './volume-server.ts';

export interface Announcement {
  /** "host:port", or "inproc". */
  readonly name: string;
  /** undefined: there is no session. */
  readonly volumes: readonly TargetVolume[] | undefined;
  readonly server: VolumeServerFacts | undefined;
  /** Why the server's other volumes are not announced; undefined where the directories are another host's. */
  readonly missing: readonly MissingVolume[] | undefined;
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

/** Ids that the server lists and the target does not announce as loaded. */
export function unannounced(
  volumes: readonly TargetVolume[] | undefined,
  server: VolumeServerFacts | undefined,
): readonly number[] {
  if (volumes === undefined || server?.volumes === undefined) return [];
  const ids = new Set(volumes.filter(isLoaded).map(({ volumeId }) => volumeId));
  return server.volumes.filter((id) => !ids.has(id));
}

/** A target announces a volume that it could not load as well, as version 0. */
function isLoaded({ version }: TargetVolume): boolean {
  return version !== 0;
}

function announced(announcement: Announcement, settings: Settings): Finding {
  const { name, volumes, server } = announcement;
  if (volumes === undefined) return skip('announced-volumes', `${name}: no session`);
  const ids = volumes.map(({ volumeId }) => volumeId);
  const unconfirmed = volumes.filter(({ confirmed }) => !confirmed).map((v) => v.volumeId);
  const unloaded = volumes.filter((volume) => !isLoaded(volume)).map((v) => v.volumeId);
  const evidence = [
    `${name} announces ${ids.length}: ${shownIds(ids)}${unconfirmed.length === 0 ? '' : `; not confirmed: ${shownIds(unconfirmed)}`}${unloaded.length === 0 ? '' : `; not loaded: ${shownIds(unloaded)}`}`,
  ];
  if (server?.volumes === undefined) {
    return skip('announced-volumes', `${name}: no list of its volume server`, evidence);
  }
  evidence.push(`${server.url} lists ${server.volumes.length}: ${shownIds(server.volumes)}`);
  const foreign = ids.filter((id) => !server.volumes?.includes(id));
  if (unannounced(volumes, server).length > 0)
    return notAnnounced(announcement, settings, evidence);
  if (ids.length > 0 && unconfirmed.length === ids.length && settings.transport !== 'inproc') {
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

function notAnnounced(
  { name, volumes, server, missing }: Announcement,
  settings: Settings,
  evidence: readonly string[],
): Finding {
  const ids = unannounced(volumes, server);
  const dirs = settings.storage?.key ?? 'target.dirs';
  const trouble = {
    summary: `the server lists volumes that ${name} does not announce: ${shownIds(ids)}; their reads pass through`,
    evidence: [...evidence, ...reasonLines(missing ?? [])],
  };
  if (missing === undefined) {
    return fail('announced-volumes', {
      ...trouble,
      fix: [
        `on the target's host: set ${dirs} to every directory of the volume server's -dir list (and target.idx_dirs to its -dir.idx)`,
        'there, seaweed-rdma doctor --config target.toml --only volumes names the reason of each',
      ],
    });
  }
  const [first, ...others] = [...new Set(missing.map(({ kind }) => kind))].map((kind) =>
    fixOf(kind, dirs, settings.storage?.idxKey ?? 'target.idx_dirs', missing),
  );
  const named = { ...trouble, fix: [first as string, ...others] as const };
  const isMeant = missing.every(({ kind }) => kind === 'unsupported');
  return isMeant ? warn('announced-volumes', named) : fail('announced-volumes', named);
}

function fixOf(
  kind: MissingVolume['kind'],
  dirs: string,
  idxDirs: string,
  missing: readonly MissingVolume[],
): string {
  const ids = shownIds(missing.filter((one) => one.kind === kind).map((one) => one.volumeId));
  switch (kind) {
    case 'no files':
      return `${ids}: set ${dirs} to every directory of the volume server's -dir list`;
    case 'no index':
      return `${ids}: set ${idxDirs} to the volume server's -dir.idx`;
    case 'damaged':
      return `${ids}: seaweed-rdma volume verify DIR, then weed fix or a replica`;
    case 'sound':
      return `${ids}: restart the target, if it runs with another configuration than this one`;
    case 'unsupported':
      return `${ids}: nothing to do, the volume server answers; weed shell: volume.tier.download or ec.decode brings them back`;
  }
}

const reasonsShown = 10;

function reasonLines(missing: readonly MissingVolume[]): readonly string[] {
  const lines = missing.map(({ volumeId, reason }) => `volume ${volumeId}: ${reason}`);
  const more = lines.length - reasonsShown;
  return more > 0 ? [...lines.slice(0, reasonsShown), `and ${more} more`] : lines;
}
