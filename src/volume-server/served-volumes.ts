/**
 * The body of a volume server's `GET /status` → the volumes that it serves, and where. Nothing in it is trusted: its
 * list is read in steps, with a turn of the event loop behind each, and no further than to the first row that is no
 * volume. JSON.parse of the whole would hold the event loop 0.4 s for an honest list of 200,000 volumes, which has
 * 60 MB, and 7 s for as many bytes of `{},`.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { ServedVolume } from '../rdma/target-host.ts';
import { comma, listBegin, rightBracket, valueEnd } from './json-scan.ts';

export interface ListedVolume extends ServedVolume {
  /** True if the volume's data lies in a remote tier. */
  readonly isTiered: boolean;
}

export interface ServerList {
  readonly volumes: readonly ListedVolume[];
  /** The volume server's directories, by their names on its host. */
  readonly dirs: readonly string[];
}

interface Malformed {
  readonly kind: 'malformed';
  readonly detail: string;
}

export type StatusBody = ({ readonly kind: 'served' } & ServerList) | Malformed;

/** Limit of one row, and of all that stands before the list, and behind it; steps are at most twice as long. */
export const stepBytes = 256 * 1024;
/** Honest rows have over 250 bytes: a page holds no more of them. */
export const volumesMax = 2 ** 18;

/** Erasure coded volumes are not listed there. A server without volumes answers `"Volumes": null`. */
export async function servedVolumes(body: Buffer): Promise<StatusBody> {
  const begin = listBegin(body, 'Volumes', stepBytes);
  if (begin === undefined) return withoutList(body);
  const rows = await rowsFrom(body, begin);
  if (rows.kind === 'malformed') return rows;
  if (body.length - rows.end > stepBytes) return malformed('too much behind "Volumes"');
  const before = parsed(`${body.toString('utf8', 0, begin)}]}`);
  const behind = parsed(`{"":0${body.toString('utf8', rows.end + 1)}`);
  if (!isRecord(before) || !isRecord(behind)) return malformed('the body is not a JSON object');
  if (Object.hasOwn(behind, 'Volumes')) return malformed('"Volumes" is in it twice');
  const { DiskStatuses: disks } = { ...before, ...behind };
  return { kind: 'served', volumes: rows.volumes, dirs: directoriesOf(disks) };
}

function withoutList(body: Buffer): StatusBody {
  if (body.length > stepBytes) return malformed(`no "Volumes" in its first ${stepBytes} bytes`);
  const status = parsed(body.toString('utf8'));
  if (!isRecord(status)) return malformed('the body is not a JSON object');
  if (!Object.hasOwn(status, 'Volumes')) return malformed('no "Volumes" in it');
  const { Volumes: rows, DiskStatuses: disks } = status;
  if (rows !== null) return malformed('"Volumes" is not a list');
  return { kind: 'served', volumes: [], dirs: directoriesOf(disks) };
}

interface Rows {
  readonly kind: 'rows';
  readonly volumes: readonly ListedVolume[];
  /** The place of the list's closing bracket. */
  readonly end: number;
}

/** A list that is not understood whole confirms nothing. */
async function rowsFrom(body: Buffer, begin: number): Promise<Rows | Malformed> {
  const volumes: ListedVolume[] = [];
  for (let at = begin; ; ) {
    const step = likelyStep(body, at) ?? surveyedStep(body, at);
    if (step === undefined) return malformed(`no JSON behind volume ${volumes.length} of the list`);
    const isLast = body[step.end] === rightBracket;
    const isEmptyList = isLast && at === begin;
    if (step.rows.length === 0 && !isEmptyList) return malformed(rowText(volumes.length));
    for (const row of step.rows) {
      const volume = servedVolume(row);
      if (volume === undefined) return malformed(rowText(volumes.length));
      volumes.push(volume);
    }
    if (volumes.length > volumesMax) return malformed(`more than ${volumesMax} volumes`);
    if (isLast) return { kind: 'rows', volumes, end: step.end };
    at = step.end + 1;
    await turn();
  }
}

interface Step {
  readonly rows: readonly unknown[];
  /** The place of the comma behind the rows, or of the list's closing bracket. */
  readonly end: number;
}

/**
 * A seam between two rows, found quickly: text that looks like one may also be part of a name, or stand behind the list,
 * and then what was cut there is no list.
 */
function likelyStep(body: Buffer, begin: number): Step | undefined {
  const seam = body.subarray(begin, begin + stepBytes).lastIndexOf('},{');
  return seam < 0 ? undefined : stepUntil(body, begin, begin + seam + 1);
}

function surveyedStep(body: Buffer, begin: number): Step | undefined {
  let end = valueEnd(body, begin, begin + stepBytes);
  while (end !== undefined && body[end] === comma && end - begin < stepBytes)
    end = valueEnd(body, end + 1, end + 1 + stepBytes);
  return end === undefined ? undefined : stepUntil(body, begin, end);
}

function stepUntil(body: Buffer, begin: number, end: number): Step | undefined {
  if (body[end] !== comma && body[end] !== rightBracket) return undefined;
  const rows = parsed(`[${body.toString('utf8', begin, end)}]`);
  return Array.isArray(rows) ? { rows, end } : undefined;
}

function rowText(index: number): string {
  return `volume ${index} of the list`;
}

function malformed(detail: string): Malformed {
  return { kind: 'malformed', detail };
}

const volumeIdMax = 2 ** 32 - 1;

/** Nothing depends on them: what is not understood is left out. */
function directoriesOf(disks: unknown): readonly string[] {
  if (!Array.isArray(disks)) return [];
  return disks.flatMap((disk: unknown) => {
    if (!isRecord(disk)) return [];
    const { dir } = disk;
    return typeof dir === 'string' ? [dir] : [];
  });
}

function servedVolume(row: unknown): ListedVolume | undefined {
  if (!isRecord(row)) return undefined;
  const { Id: volumeId, Size: sizeBytes, FileCount: fileCount } = row;
  const { ModifiedAtSecond: modifiedAtSeconds } = row;
  if (!isCount(volumeId) || volumeId > volumeIdMax) return undefined;
  if (!isCount(sizeBytes) || !isCount(fileCount)) return undefined;
  if (typeof modifiedAtSeconds !== 'number' || !Number.isSafeInteger(modifiedAtSeconds))
    return undefined;
  const { RemoteStorageName: tier } = row;
  const isTiered = typeof tier === 'string' && tier !== '';
  return { volumeId, sizeBytes, fileCount, modifiedAtSeconds, isTiered };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
