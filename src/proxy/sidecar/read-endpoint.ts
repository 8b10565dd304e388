/** GET /read and /rdma/read: bytes of a needle, in the body and, where that is wanted, in a temp file too. */
import type { KnownServers } from './known-servers.ts';
import type { CutReads } from './needle-ends.ts';
import type { NeedleBytes, NeedleSource } from './needle-source.ts';
import { parseReadQuery, type SidecarRead } from './read-parameters.ts';
import type { RecentNeedles } from './recent-needles.ts';
import type { SidecarRefusal } from './refusal.ts';
import { goDuration, jsonAnswer, refused, type SidecarAnswer } from './sidecar-answer.ts';
import type { SidecarHost } from './sidecar-options.ts';
import type { SidecarRequest } from './sidecar-request.ts';
import type { TempFiles } from './temp-files.ts';

export interface ReadRooms {
  readonly source: NeedleSource;
  readonly servers: KnownServers;
  readonly temp: TempFiles | undefined;
  readonly recent: RecentNeedles;
  readonly cuts: CutReads;
  readonly host: SidecarHost;
}

const previewBytes = 32;
/** A client that names no size reads so much of a temp file, and no more (weed/mount/rdma_client.go). */
const unsizedTempBytesMax = 1024 * 1024;

export function readOf(
  rooms: ReadRooms,
  query: SidecarRequest['query'],
): SidecarRead | SidecarRefusal {
  const read = parseReadQuery(query);
  if ('kind' in read || read.volumeServer === '') return read;
  return rooms.servers.refusalOf(read.volumeServer) ?? read;
}

export async function answerRead(
  rooms: ReadRooms,
  request: SidecarRequest,
): Promise<SidecarAnswer> {
  const read = readOf(rooms, request.query);
  if ('kind' in read) return refused(read);
  const startedAt = performance.now();
  const found = await rooms.source.read(read, request.authorization, request.signal);
  if (found.kind === 'refused') return refused(found);
  rooms.recent.add(read.fid);
  const { fid, offset, size } = read;
  const isCut = size !== undefined && rooms.cuts.looksCut(fid, offset, size, found.totalBytes);
  try {
    const tempFile = isCut ? undefined : await tempFileOf(rooms, request, read, found);
    const durationMs = performance.now() - startedAt;
    const told = { rooms, read, found, isCut, durationMs, tempFile };
    return request.wantsJson ? metadata(told) : bytes(told);
  } catch (error) {
    found.release();
    throw error;
  }
}

/** Over HTTP there is none: the mount throws such bytes away. */
async function tempFileOf(
  { temp }: ReadRooms,
  request: SidecarRequest,
  read: SidecarRead,
  found: NeedleBytes,
): Promise<string | undefined> {
  if (temp === undefined || found.source === 'http' || request.isHead) return undefined;
  if (read.size === undefined && found.bytes > unsizedTempBytesMax) return undefined;
  return temp.write(found.slices, found.bytes);
}

interface Told {
  readonly rooms: ReadRooms;
  readonly read: SidecarRead;
  readonly found: NeedleBytes;
  /** The mount is to read it itself. */
  readonly isCut: boolean;
  readonly durationMs: number;
  readonly tempFile: string | undefined;
}

function bytes(told: Told): SidecarAnswer {
  const { found, tempFile } = told;
  return {
    status: 200,
    headers: { 'Content-Type': 'application/octet-stream', ...headersOf(told) },
    body: found.slices,
    ...countedAs(told),
    needleBytes: found.bytes,
    isHeadEnough: tempFile !== undefined,
    release: () => found.release(),
  };
}

const needleEnd = 'needle-end';

function countedAs({ found, isCut }: Told): Pick<SidecarAnswer, 'outcome' | 'reason'> {
  const isDeclined = isCut && found.source !== 'http';
  return isDeclined
    ? { outcome: 'declined', reason: needleEnd }
    : { outcome: found.source, reason: found.reason };
}

/** For the mount `X-Source` means RDMA too, where it has that word in it. */
function headersOf(told: Told): Record<string, string> {
  const { rooms, read, found, durationMs, tempFile } = told;
  const { outcome, reason } = countedAs(told);
  const isUsed = outcome === 'cache' || outcome === 'rdma';
  const headers: Record<string, string> = {
    'X-RDMA-Used': String(isUsed),
    'X-Source': outcome,
    'X-RDMA-Transport': found.transport,
    'X-RDMA-Duration': goDuration(durationMs),
    'X-RDMA-Bytes-Read': String(found.bytes),
    'X-Needle-Size': String(found.totalBytes),
    'Cache-Status': `seaweed-rdma; ${found.cacheStatus}`,
  };
  if (!isUsed) headers['X-Fallback-Reason'] = reason;
  const sessionId = found.source === 'http' ? '' : rooms.host.sessionOf(read.volumeId);
  if (sessionId !== '') headers['X-RDMA-Session-ID'] = sessionId;
  if (tempFile !== undefined) {
    headers['X-Use-Temp-File'] = 'true';
    headers['X-Temp-File'] = tempFile;
  }
  return headers;
}

/** The keys of the mount's RDMAReadResponse, and more; of the data only a preview. */
function metadata(told: Told): SidecarAnswer {
  const { rooms, read, found, durationMs, tempFile } = told;
  const { outcome, reason } = countedAs(told);
  const preview = found.slices[0]?.subarray(0, previewBytes).toString('hex') ?? '';
  const answer = jsonAnswer({
    success: true,
    is_rdma: outcome === 'cache' || outcome === 'rdma',
    source: outcome,
    reason,
    transport: found.transport,
    duration: goDuration(durationMs),
    data_size: found.bytes,
    data_preview: preview,
    session_id: found.source === 'http' ? '' : rooms.host.sessionOf(read.volumeId),
    use_temp_file: tempFile !== undefined,
    temp_file: tempFile ?? '',
    volume_id: read.volumeId,
    needle_id: read.needleId,
    needle_size: found.totalBytes,
    offset: read.offset,
    timestamp: new Date().toISOString(),
  });
  const headers = { ...answer.headers, ...headersOf(told) };
  found.release();
  return { ...answer, headers, outcome, reason, needleBytes: found.bytes };
}
