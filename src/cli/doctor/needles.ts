/** Real needles, read both ways: over the target and from the volume server. */
import { gunzipSync } from 'node:zlib';
import { isCompressed, isManifest } from '../../needle/record.ts';
import { messageOf } from '../../rdma/errors.ts';
import type { Needle, NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import { formatFid, listNeedles, listVolumes } from '../../rdma/volume-files.ts';
import type { NeedleName } from '../needle-name.ts';
import { authorization } from './authorization.ts';
import { ask, type HttpResult } from './http-question.ts';
import { needleBytesMax, type TargetLook } from './sessions.ts';
import type { Settings } from './setup.ts';

export interface NeedleEvidence {
  readonly fid: string;
  readonly target: string;
  readonly url: string;
  /** "ok", or the status that the target answered. */
  readonly rdma: string;
  readonly rdmaBytes: number;
  readonly isCompressed: boolean;
  readonly isManifest: boolean;
  /** The HTTP status; 0: no answer, see `httpFailure`. */
  readonly http: number;
  readonly httpFailure: string;
  readonly httpBytes: number;
  /** Index of the first different byte, after unzipping; -1: none. */
  readonly firstDifferenceAt: number;
}

const needlesMax = 8;
const perVolumeListed = 200;
const sampleBytesMax = 4 * 2 ** 20;

/** Live needles of the target's own directories: one of each volume, then more. Largest first within a volume. */
export async function needlesToAsk(
  { dirs, idxDirs }: NonNullable<Settings['storage']>,
  volumeIds: ReadonlySet<number>,
): Promise<readonly NeedleName[]> {
  const lists: NeedleName[][] = [];
  for (const { volumeId, collection, datPath } of await listVolumes(dirs, idxDirs)) {
    if (!volumeIds.has(volumeId)) continue;
    const dir = datPath.slice(0, datPath.lastIndexOf('/'));
    const idxDir = idxDirs[dirs.indexOf(dir)] ?? idxDirs[0];
    const name = { dir, collection, volumeId, ...(idxDir === undefined ? {} : { idxDir }) };
    const listed = await listNeedles(name, perVolumeListed).catch(() => []);
    const usable = listed.filter(({ size }) => size > 0 && size <= sampleBytesMax);
    const needles = usable.toSorted((a, b) => b.size - a.size);
    lists.push(needles.map(({ needleId, cookie }) => ({ volumeId, needleId, cookie })));
  }
  const rounds = Math.max(0, ...lists.map((list) => list.length));
  const inTurn = Array.from({ length: Math.min(rounds, needlesMax) }, (_, round) =>
    lists.flatMap((list) => list[round] ?? []),
  );
  return inTurn.flat().slice(0, needlesMax);
}

export interface Comparison {
  readonly needle: NeedleName;
  readonly look: TargetLook;
  readonly fetcher: NeedleFetcher;
  readonly url: string;
}

export async function compareNeedle(
  { needle, look, fetcher, url }: Comparison,
  readKey: string | undefined,
  timeoutMs: number,
): Promise<NeedleEvidence> {
  const fid = formatFid(needle.volumeId, needle.needleId, needle.cookie);
  const [rdma, http] = await Promise.all([
    readRdma(fetcher, needle, timeoutMs),
    ask(new URL(`/${fid}`, url), timeoutMs, authorization(readKey, fid)),
  ]);
  const { status, bytes, facts } = rdma;
  const httpBody = http.kind === 'answer' ? http.answer.body : Buffer.alloc(0);
  const flags = facts?.flags ?? 0;
  const isBoth = status === 'ok' && http.kind === 'answer' && http.answer.status === 200;
  return {
    fid,
    target: look.facts.name,
    url,
    rdma: status,
    rdmaBytes: bytes.length,
    isCompressed: isCompressed(flags),
    isManifest: isManifest(flags),
    http: http.kind === 'answer' ? http.answer.status : 0,
    httpFailure: http.kind === 'failed' ? http.detail : '',
    httpBytes: httpBody.length,
    firstDifferenceAt: isBoth
      ? firstDifference(unzipped(bytes, isCompressed(flags)), unzipped(httpBody, isZipped(http)))
      : -1,
  };
}

interface RdmaRead {
  readonly status: string;
  /** A copy: the lease is released. */
  readonly bytes: Buffer;
  readonly facts: Needle | undefined;
}

async function readRdma(
  fetcher: NeedleFetcher,
  needle: NeedleName,
  timeoutMs: number,
): Promise<RdmaRead> {
  const result = await fetcher.read({
    ...needle,
    offset: 0,
    length: 2 ** 32,
    wholeBytesMax: needleBytesMax,
    budgetBytes: needleBytesMax,
    metadataOnly: false,
    timeoutMs,
  });
  if (result.kind === 'failed') {
    return { status: result.status, bytes: Buffer.alloc(0), facts: undefined };
  }
  const { data, needle: facts } = result;
  try {
    return { status: 'ok', bytes: Buffer.from(data?.view ?? []), facts };
  } finally {
    data?.lease.release();
  }
}

function isZipped(http: HttpResult): boolean {
  return http.kind === 'answer' && http.answer.headers['content-encoding'] === 'gzip';
}

/** Returns the bytes unchanged if they do not unzip. */
function unzipped(bytes: Buffer, isGzip: boolean): Buffer {
  if (!isGzip) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: 16 * needleBytesMax });
  } catch (error) {
    return Buffer.from(messageOf(error));
  }
}

export function firstDifference(a: Buffer, b: Buffer): number {
  if (a.equals(b)) return -1;
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) if (a[at] !== b[at]) return at;
  return length;
}
