/** Why a volume that its server lists is not announced: what lies in the target's directories. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../rdma/errors.ts';
import { inspectVolume } from '../../rdma/volume-files.ts';
import type { Settings } from './setup.ts';

export interface MissingVolume {
  readonly volumeId: number;
  /** `unsupported`: its reads pass through, and that is how it is meant. */
  readonly kind: 'no files' | 'no index' | 'damaged' | 'sound' | 'unsupported';
  /** For a person: "no .idx in /idx". */
  readonly reason: string;
}

type Storage = NonNullable<Settings['storage']>;

/** Looks for each id in turn; the first directory with a file of it decides. */
export async function gatherMissing(
  { key, dirs, idxDirs }: Storage,
  volumeIds: readonly number[],
): Promise<readonly MissingVolume[]> {
  const folders = await Promise.all(
    dirs.map(async (dir, index) => {
      const idxDir = idxDirs[index] ?? idxDirs[0] ?? dir;
      return { dir, idxDir, files: await namesIn(dir), indexes: await namesIn(idxDir) };
    }),
  );
  return Promise.all(
    volumeIds.map(async (volumeId) => {
      for (const folder of folders) {
        const found = await missingIn(folder, volumeId);
        if (found !== undefined) return { volumeId, ...found };
      }
      return { volumeId, kind: 'no files' as const, reason: `no file of it in ${key}` };
    }),
  );
}

interface Folder {
  readonly dir: string;
  readonly idxDir: string;
  readonly files: readonly string[];
  readonly indexes: readonly string[];
}

async function namesIn(dir: string): Promise<readonly string[]> {
  return readdir(dir).catch(() => []);
}

async function missingIn(
  { dir, idxDir, files, indexes }: Folder,
  volumeId: number,
): Promise<Omit<MissingVolume, 'volumeId'> | undefined> {
  const own = files.flatMap((file) => {
    const [, base = '', collection = '', id, extension = ''] =
      /^((?:(.+)_)?(\d+))\.(dat|vif|ec\w+)$/.exec(file) ?? [];
    return id !== undefined && Number(id) === volumeId ? [{ base, collection, extension }] : [];
  });
  const [first] = own;
  if (first === undefined) return undefined;
  const { base, collection } = first;
  if (!own.some(({ extension }) => extension === 'dat')) {
    if (
      own.some(({ extension }) => extension.startsWith('ec')) ||
      indexes.includes(`${base}.ecx`)
    ) {
      return { kind: 'unsupported', reason: 'erasure coded' };
    }
    if (await isTiered(join(dir, `${base}.vif`))) return { kind: 'unsupported', reason: 'tiered' };
    return { kind: 'no files', reason: `no ${base}.dat in ${dir}` };
  }
  if (!indexes.includes(`${base}.idx`)) {
    return { kind: 'no index', reason: `no ${base}.idx in ${idxDir}` };
  }
  const inspected = await inspectVolume({ dir, idxDir, collection, volumeId }).catch(messageOf);
  if (typeof inspected === 'string') return { kind: 'damaged', reason: inspected };
  const [problem] = inspected.problems;
  if (problem !== undefined) return { kind: 'damaged', reason: problem };
  return { kind: 'sound', reason: `${join(dir, `${base}.dat`)} is sound` };
}

/** `files` names where the data went; a .vif that is being rewritten says nothing. */
async function isTiered(vif: string): Promise<boolean> {
  const text = await readFile(vif, 'utf8').catch(() => '');
  return /"files"\s*:\s*\[\s*\{/.test(text);
}
