/** Layer 10: the directories that the target reads, beside what its volume server lists. */
import { constants } from 'node:fs';
import { access, readdir, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf } from '../../rdma/errors.ts';
import { type CheckName, type Finding, fail, ok, skip, warn } from './check.ts';
import type { Settings } from './setup.ts';
import { shownIds, type VolumeServerFacts } from './volume-server.ts';

export interface DirectoryFacts {
  readonly dir: string;
  readonly idxDir: string;
  /** '' when it can be listed. */
  readonly failure: string;
  /** "ENOENT", "EACCES"; '' without a failure. */
  readonly code: string;
  readonly volumes: readonly { readonly volumeId: number; readonly base: string }[];
  /** File names of .dat or .idx that this user cannot read. */
  readonly unreadable: readonly string[];
  /** Base names whose .idx is not in `idxDir`. */
  readonly withoutIndex: readonly string[];
  /** statfs' f_type; undefined when it cannot be asked. */
  readonly fileSystem: number | undefined;
}

type Storage = NonNullable<Settings['storage']>;

export function gatherStorage({ dirs, idxDirs }: Storage): Promise<readonly DirectoryFacts[]> {
  return Promise.all(dirs.map((dir, index) => directory(dir, idxDirs[index] ?? idxDirs[0] ?? dir)));
}

async function directory(dir: string, idxDir: string): Promise<DirectoryFacts> {
  const nothing = { dir, idxDir, volumes: [], unreadable: [], withoutIndex: [] };
  let files: readonly string[];
  try {
    files = await readdir(dir);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { ...nothing, failure: messageOf(error), code, fileSystem: undefined };
  }
  const volumes = files.flatMap((file) => {
    const [, base, id] = /^((?:.+_)?(\d+))\.dat$/.exec(file) ?? [];
    return base === undefined ? [] : [{ volumeId: Number(id), base }];
  });
  const indexed = new Set(await readdir(idxDir).catch(() => []));
  const withoutIndex = volumes
    .map(({ base }) => base)
    .filter((base) => !indexed.has(`${base}.idx`));
  const unreadable = await unreadableOf([
    ...volumes.map(({ base }) => join(dir, `${base}.dat`)),
    ...volumes
      .filter(({ base }) => !withoutIndex.includes(base))
      .map(({ base }) => join(idxDir, `${base}.idx`)),
  ]);
  const system = await statfs(dir).catch(() => undefined);
  return {
    ...nothing,
    failure: '',
    code: '',
    volumes: volumes.toSorted((a, b) => a.volumeId - b.volumeId),
    unreadable,
    withoutIndex,
    fileSystem: system?.type,
  };
}

async function unreadableOf(files: readonly string[]): Promise<readonly string[]> {
  const results = await Promise.all(
    files.map((file) =>
      access(file, constants.R_OK).then(
        () => '',
        () => file,
      ),
    ),
  );
  return results.filter((file) => file !== '');
}

export function judgeStorage(
  settings: Settings | undefined,
  directories: readonly DirectoryFacts[],
  server: VolumeServerFacts | undefined,
): readonly Finding[] {
  const names: readonly CheckName[] = ['data-dirs', 'file-system', 'index-files', 'served-volumes'];
  if (settings === undefined) return names.map((name) => skip(name, 'needs a configuration'));
  const { storage } = settings;
  if (storage === undefined) {
    return names.map((name) => skip(name, "the target's part: run the doctor on its host"));
  }
  return [
    ...directories.map((facts) => dataDir(facts, storage)),
    ...directories.map((facts) => fileSystem(facts, storage)),
    ...directories.map((facts) => indexFiles(facts, storage)),
    servedVolumes(directories, storage, server),
  ];
}

function dataDir(
  { dir, failure, code, volumes, unreadable }: DirectoryFacts,
  { key }: Storage,
): Finding {
  if (code === 'EACCES' || unreadable.length > 0) {
    return fail('data-dirs', {
      summary: `${dir}: this user may not read ${failure === '' ? `${unreadable.length} files` : 'it'}`,
      evidence: failure === '' ? unreadable.slice(0, 5) : [failure],
      fix: [
        "run the target as the volume server's user, or in its group with read permission (systemd: User=, Group=; Kubernetes: fsGroup)",
      ],
    });
  }
  if (failure !== '') {
    return fail('data-dirs', {
      summary: `${dir}: ${code === 'ENOENT' ? 'does not exist' : 'cannot be listed'}`,
      evidence: [failure],
      fix: [`set ${key} to the volume server's -dir list (ps -o args of weed volume tells)`],
    });
  }
  const evidence = [
    `${dir}: ${volumes.length} volumes: ${shownIds(volumes.map((v) => v.volumeId))}`,
  ];
  if (volumes.length > 0) return ok('data-dirs', `${dir}: ${volumes.length} volumes`, evidence);
  return warn('data-dirs', {
    summary: `${dir}: no volume in it`,
    evidence,
    fix: [`if the volume server has volumes: set ${key} to its -dir list`],
  });
}

/** linux/magic.h. */
const foreignFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x65735546, 'FUSE'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x517b, 'SMB'],
  [0x01021997, '9P'],
  [0x00c36400, 'CephFS'],
  [0x47504653, 'GPFS'],
  [0x0bd00bd0, 'Lustre'],
]);

const localFileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlayfs'],
  [0x2fc12fc1, 'zfs'],
]);

function fileSystem({ dir, fileSystem: type, failure }: DirectoryFacts, { key }: Storage): Finding {
  if (failure !== '' || type === undefined) {
    return skip('file-system', `${dir}: cannot be looked at`);
  }
  const foreign = foreignFileSystems.get(type);
  const name = foreign ?? localFileSystems.get(type) ?? 'unknown';
  const evidence = [`${dir}: statfs type 0x${type.toString(16)} (${name})`];
  if (foreign === undefined) return ok('file-system', `${dir}: ${name}`, evidence);
  return fail('file-system', {
    summary: `${dir} is on ${foreign}: writes of another host show late, and reads may block`,
    evidence,
    fix: [`run the target on the host that has the disk, and set ${key} to its local directory`],
  });
}

function indexFiles(facts: DirectoryFacts, { idxKey }: Storage): Finding {
  const { dir, idxDir, failure, volumes, withoutIndex } = facts;
  if (failure !== '' || volumes.length === 0) return skip('index-files', `${dir}: no volume in it`);
  const evidence = [
    `${volumes.length - withoutIndex.length} of ${volumes.length} .idx files are in ${idxDir}`,
  ];
  if (withoutIndex.length === 0)
    return ok('index-files', `each .dat of ${dir} has its .idx`, evidence);
  return fail('index-files', {
    summary: `no .idx for ${withoutIndex.slice(0, 5).join(', ')} in ${idxDir}`,
    evidence,
    fix: [
      `set ${idxKey} to the volume server's -dir.idx; without that flag: weed fix rebuilds an .idx`,
    ],
  });
}

function servedVolumes(
  directories: readonly DirectoryFacts[],
  { key, unconfirmed }: Storage,
  server: VolumeServerFacts | undefined,
): Finding {
  if (unconfirmed) return skip('served-volumes', 'target.unconfirmed = true: no server is asked');
  if (server?.volumes === undefined) {
    return skip('served-volumes', 'the volume server does not tell its volumes');
  }
  const listed = new Set(server.volumes);
  const here = new Set(directories.flatMap(({ volumes }) => volumes.map((v) => v.volumeId)));
  const missing = [...listed].filter((id) => !here.has(id));
  const unlisted = [...here].filter((id) => !listed.has(id));
  const evidence = [
    `${server.url} lists ${listed.size}: ${shownIds([...listed])}`,
    `${key} holds ${here.size}: ${shownIds([...here])}`,
  ];
  if (missing.length > 0) return notInDirs(directories, key, server, { missing, evidence });
  if (unlisted.length > 0) {
    return warn('served-volumes', {
      summary: `volumes that the server does not list: ${shownIds(unlisted)}; they are not served`,
      evidence,
      fix: [
        'weed shell: volume.mount, if they are meant to be served; else their files are left-overs',
      ],
    });
  }
  return ok('served-volumes', `all ${listed.size} volumes of the server are in ${key}`, evidence);
}

function notInDirs(
  directories: readonly DirectoryFacts[],
  key: string,
  { volumes = [], dirs }: VolumeServerFacts,
  {
    missing,
    evidence,
  }: { readonly missing: readonly number[]; readonly evidence: readonly string[] },
): Finding {
  const found = volumes.length - missing.length;
  const own = directories.map(({ dir }) => resolve(dir));
  const others = dirs.filter((dir) => !own.includes(resolve(dir)));
  const named = others.length === 0 ? '' : `, which has ${others.join(', ')} too`;
  const where = `the server's directories: ${dirs.join(', ')}; ${key}: ${own.join(', ')}`;
  return fail('served-volumes', {
    summary: `${found} of ${volumes.length} volumes that the server lists are in ${key}; missing: ${shownIds(missing)}`,
    evidence: dirs.length === 0 ? evidence : [...evidence, where],
    fix: [
      `set ${key} to every directory of the volume server's -dir list${named} (or target.volume_server_url to the server of these directories)`,
    ],
  });
}
