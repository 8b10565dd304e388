/** `seaweed-rdma volume inspect` and `verify`: they read only, and work beside a running volume server. */
import {
  formatFid,
  inspectVolume,
  type ListedNeedle,
  listNeedles,
  type VerifyReport,
  type VolumeName,
  type VolumeReport,
  verifyVolume,
} from '../../rdma/volume-files.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print, printJson, visible } from '../output.ts';
import { type VolumeChoice, volumesOf } from './volume-names.ts';

export interface VolumeInspectOptions extends VolumeChoice {
  /** Live needles to list of each volume. */
  readonly list: number;
  readonly json: boolean;
}

export interface VolumeVerifyOptions extends VolumeChoice {
  readonly json: boolean;
}

/** Returns the exit code: failed when a volume has a problem. */
export async function runVolumeInspect(options: VolumeInspectOptions): Promise<number> {
  const inspected: object[] = [];
  let problems = 0;
  for (const volume of await volumesOf(options)) {
    const outcome = await attempt(() => inspectVolume(volume));
    if (outcome.kind === 'failed') {
      problems += 1;
      inspected.push({ ...nameOf(volume), problems: [outcome.detail] });
      if (!options.json) print(`volume ${volume.volumeId}: ${visible(outcome.detail)}`);
      continue;
    }
    const report = outcome.value;
    problems += report.problems.length;
    const listed = options.list === 0 ? [] : await listNeedles(volume, options.list);
    const needles = listed.map((needle) => needleRow(volume, needle));
    inspected.push({ ...nameOf(volume), ...report, needles });
    if (options.json) continue;
    printInspected(volume, report);
    for (const { fid, offset, size } of needles) print(`  ${fid}  offset ${offset}  size ${size}`);
  }
  if (options.json) printJson({ ok: problems === 0, volumes: inspected });
  return problems === 0 ? exitCodes.done : exitCodes.failed;
}

/** Returns the exit code: failed when a needle is damaged or a volume cannot be read. */
export async function runVolumeVerify(options: VolumeVerifyOptions): Promise<number> {
  const verified: object[] = [];
  let problems = 0;
  for (const volume of await volumesOf(options)) {
    const outcome = await attempt(() => verifyVolume(volume, progressOf(volume)));
    if (outcome.kind === 'failed') {
      problems += 1;
      verified.push({ ...nameOf(volume), problemCount: 1, problems: [{ text: outcome.detail }] });
      if (!options.json) print(`volume ${volume.volumeId}: ${visible(outcome.detail)}`);
      continue;
    }
    problems += outcome.value.problemCount;
    verified.push({ ...nameOf(volume), ...outcome.value });
    if (!options.json) printVerified(volume, outcome.value);
  }
  if (options.json) printJson({ ok: problems === 0, volumes: verified });
  return problems === 0 ? exitCodes.done : exitCodes.failed;
}

type Attempt<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly detail: string };

/** One broken volume does not keep the others from being looked at. */
async function attempt<T>(look: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { kind: 'done', value: await look() };
  } catch (error) {
    return { kind: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

/** Reports to stderr, and only after a while: small volumes are done before that. */
function progressOf(volume: VolumeName): Parameters<typeof verifyVolume>[1] {
  let toldAt = performance.now();
  return ({ needlesDone, needlesTotal, bytesDone }) => {
    if (performance.now() - toldAt < 1000) return;
    toldAt = performance.now();
    const megabytes = (bytesDone / 1e6).toFixed(0);
    note(`volume ${volume.volumeId}: ${needlesDone} of ${needlesTotal} needles, ${megabytes} MB`);
  };
}

function nameOf({ volumeId, collection = '' }: VolumeName): object {
  return { volumeId, collection };
}

function needleRow(
  { volumeId }: VolumeName,
  { needleId, cookie, offset, size }: ListedNeedle,
): { readonly fid: string; readonly offset: number; readonly size: number } {
  return { fid: formatFid(volumeId, needleId, cookie), offset, size };
}

function printInspected(volume: VolumeName, report: VolumeReport): void {
  const { superblock, datPath, datBytes, idxBytes, liveCount, deletedCount } = report;
  const version = superblock === null ? 'unreadable' : `version ${superblock.version}`;
  print(`volume ${volume.volumeId}: ${version}, ${visible(datPath)}`);
  print(
    `  ${datBytes} bytes of data, ${idxBytes} of index: ${report.putRows} puts, ${report.deleteRows} deletes`,
  );
  print(
    `  ${liveCount} live needles in ${report.liveBytes} bytes, ${deletedCount} deleted, ${report.garbageBytes} bytes of garbage`,
  );
  if (superblock !== null) {
    const placement = String(superblock.replicaPlacement).padStart(3, '0');
    print(`  replication ${placement}, compaction revision ${superblock.compactionRevision}`);
  }
  for (const problem of report.problems) print(`  problem: ${visible(problem)}`);
}

function printVerified(volume: VolumeName, report: VerifyReport): void {
  const { needlesChecked, bytesChecked, problemCount } = report;
  print(
    `volume ${volume.volumeId}: ${needlesChecked} needles, ${bytesChecked} bytes, ${problemCount} problems`,
  );
  for (const { needleId, offset, text } of report.problems) {
    print(`  needle ${needleId} at ${offset}: ${visible(text)}`);
  }
  const more = problemCount - report.problems.length;
  if (more > 0) print(`  and ${more} more`);
}
