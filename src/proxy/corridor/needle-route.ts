/**
 * The corridor: one read, top to bottom; the only place where the rooms meet. Every step before the first byte may
 * answer a reason to pass the request to the volume server.
 */

import type { RequestHead } from '../../http1/request-head.ts';
import type {
  BytesRoute,
  NeedleOutcome,
  NeedleRoute,
  OutcomeReceiver,
} from '../../needle/needle-outcome.ts';
import type { Reason } from '../../needle/reasons.ts';
import { requestOf } from '../../needle/request/bytes-read.ts';
import { needlePathOf, writtenNeedlesOf } from '../../needle/request/needle-path.ts';
import { parseRead, type ReadRequest } from '../../needle/request/read-request.ts';
import type { CachedVolume } from '../cache/cached-volume.ts';
import { NeedleCache } from '../cache/needle-cache.ts';
import { TokenMemory } from '../cache/token-memory.ts';
import type { TargetDirectory, TargetEntry, VolumeHolder } from '../fleet/target-directory.ts';
import { passTo, trouble } from './fallback.ts';
import { askForLane } from './lane-question.ts';
import { NeedleRead } from './needle-read.ts';
import type { ReadOptions, ReadPlace } from './reading.ts';

export interface NeedleRouteOptions extends ReadOptions {
  /** SeaweedFS's jwt.signing.read.key; undefined: none. Asked at each request, so that it can be reloaded. */
  readonly readKey: () => string | undefined;
  /** Absent: none is remembered. */
  readonly tokens?: TokenMemory;
}

/** The corridor as lanes see it. */
export interface LaneRoute {
  /** Is what the cache has of this volume, and may be served, what the volume holds? Calls `settle` once. */
  ask(volume: CachedVolume, settle: (isFresh: boolean) => void): void;
}

/** Finds the server of a volume whose server is unknown. */
export interface OwnerSearch {
  /** Calls `decided` once, within a bounded time. */
  ask(volumeId: number, decided: () => void): void;
  /** A server has answered 404 of a volume that it is said to have. */
  doubt(): void;
}

interface Corridor {
  readonly options: NeedleRouteOptions;
  readonly directory: TargetDirectory;
  readonly cache: NeedleCache;
  /** Absent with a single volume server, which has every volume. */
  readonly owners: OwnerSearch | undefined;
}

export function createNeedleRoute(
  options: NeedleRouteOptions,
  directory: TargetDirectory,
  cache: NeedleCache = NeedleCache.off(),
  owners?: OwnerSearch,
): NeedleRoute & BytesRoute & LaneRoute {
  const corridor = { options, directory, cache, owners };
  return {
    serve(head, hasBody, receiver): void {
      try {
        serve(corridor, head, hasBody, receiver);
      } catch (error) {
        receiver.fail(error);
      }
    },
    read: (read) =>
      new Promise((receive, fail) => {
        const request = requestOf(read);
        const receiver = { receive, fail };
        withHolder(corridor, request.volumeId, receiver, (holder) =>
          serveRead(corridor, request, holder, false, receiver),
        );
      }),
    ask: (volume, settle) => {
      const holder = directory.best(volume.volumeId);
      const barred = holder === undefined || holderBar(options, holder) !== undefined;
      if (barred || options.mode === 'off' || options.readKey() !== undefined) settle(false);
      else askForLane({ cache, entry: holder.entry }, volume, settle);
    },
    upstreamFor: (target) => upstreamOf(directory, target),
    get decodingBytes() {
      return cache.decodingRoom.claimedBytes;
    },
  };
}

/** Methods that the volume server takes for a write; other methods change nothing. */
const writeMethods: ReadonlySet<string> = new Set(['PUT', 'POST', 'DELETE']);

function serve(
  corridor: Corridor,
  head: RequestHead,
  hasBody: boolean,
  receiver: OutcomeReceiver,
): void {
  const { directory } = corridor;
  const isWrite = writeMethods.has(head.method);
  const parsed = isWrite ? undefined : parseRead(head);
  const volumeId =
    parsed?.kind === 'read' ? parsed.read.volumeId : volumeOf(directory, head.target);
  withHolder(corridor, volumeId, receiver, (holder) => {
    if (parsed?.kind === 'read') serveRead(corridor, parsed.read, holder, hasBody, receiver);
    else receiver.receive(watchedBy(corridor, passed(corridor, head, parsed?.reason, holder)));
  });
}

/** Calls `conclude` at once where the volume's server is known or there is none to be searched for. */
function withHolder(
  { directory, owners }: Corridor,
  volumeId: number | undefined,
  receiver: OutcomeReceiver,
  conclude: (holder: VolumeHolder | undefined) => void,
): void {
  const holder = volumeId === undefined ? undefined : directory.best(volumeId);
  if (holder !== undefined || volumeId === undefined || owners === undefined) {
    conclude(holder);
    return;
  }
  owners.ask(volumeId, () => {
    try {
      conclude(directory.best(volumeId) ?? directory.lastHolder(volumeId));
    } catch (error) {
      receiver.fail(error);
    }
  });
}

function serveRead(
  corridor: Corridor,
  read: ReadRequest,
  holder: VolumeHolder | undefined,
  hasBody: boolean,
  receiver: OutcomeReceiver,
): void {
  const place = placeOf(corridor, read, holder, hasBody);
  if ('read' in place) new NeedleRead(place, receiver).begin();
  else receiver.receive(watchedBy(corridor, place));
}

/** `reason` undefined: a write. */
function passed(
  { directory, cache }: Corridor,
  { target }: RequestHead,
  reason: Reason | undefined,
  holder: VolumeHolder | undefined,
): NeedleOutcome {
  const { upstreamUrl } = holder?.entry ?? directory.first;
  return reason === undefined ? passWrite(cache, target, upstreamUrl) : passTo(upstreamUrl, reason);
}

/** Whatever may change a needle drops it when it leaves for the volume server, and again when that has answered. */
function passWrite(cache: NeedleCache, target: string, upstreamUrl: string): NeedleOutcome {
  const written = writtenNeedlesOf(target);
  const drop = (isLost: boolean): void => {
    for (const { volumeId, needleId } of written) cache.written(volumeId, needleId, isLost);
  };
  drop(false);
  return {
    kind: 'passthrough',
    reason: 'method',
    upstreamUrl,
    settled: (isAnswered) => drop(!isAnswered),
  };
}

const notFound = 404;

/** With several servers: a volume that its server does not find may have moved. */
function watchedBy({ owners }: Corridor, outcome: NeedleOutcome): NeedleOutcome {
  if (owners === undefined || outcome.kind !== 'passthrough') return outcome;
  return {
    ...outcome,
    observe(status, rawHeaders) {
      if (status === notFound) owners.doubt();
      outcome.observe?.(status, rawHeaders);
    },
  };
}

/** Where a read is served; or what becomes of it without that. */
function placeOf(
  { options, directory, cache }: Corridor,
  read: ReadRequest,
  holder: VolumeHolder | undefined,
  hasBody: boolean,
): ReadPlace | NeedleOutcome {
  const entry = holder?.entry ?? directory.first;
  if (hasBody) return passTo(entry.upstreamUrl, 'body');
  // The first server's own answer: perhaps another one that does not answer has the volume.
  if (holder === undefined) return trouble(options, entry, 'unknown-volume');
  const { fetcher } = entry;
  if (options.mode === 'off' || fetcher === undefined) return passTo(entry.upstreamUrl, 'off');
  if (isDenied(options, read)) return passTo(entry.upstreamUrl, 'auth');
  const barred = holderBar(options, holder);
  if (barred !== undefined) return trouble(options, entry, barred);
  return { options, entry, fetcher, cache, read };
}

/** Returns why no read of the volume is served from this holder now. */
function holderBar(
  options: NeedleRouteOptions,
  { entry, announced, confirmed }: VolumeHolder,
): Reason | undefined {
  if (entry.fetcher?.state.kind !== 'up') return 'target-down';
  const barred = serverBar(options, entry);
  if (barred !== undefined) return barred;
  if (!announced) return 'unknown-volume';
  return confirmed ? undefined : 'volume-unconfirmed';
}

/** The volume that a path names, where more than one server may have it. */
function volumeOf(directory: TargetDirectory, target: string): number | undefined {
  return directory.entries.length === 1 ? undefined : needlePathOf(target)?.volumeId;
}

/** Requests of a volume go to the server that has it; the rest to the first one. */
function upstreamOf(directory: TargetDirectory, target: string): string {
  const volumeId = volumeOf(directory, target);
  const holder =
    volumeId === undefined
      ? undefined
      : (directory.best(volumeId) ?? directory.lastHolder(volumeId));
  return (holder?.entry ?? directory.first).upstreamUrl;
}

const noMemory = new TokenMemory(0);

/** A read key is configured, and the request has no token of it. */
function isDenied(options: NeedleRouteOptions, read: ReadRequest): boolean {
  const key = options.readKey();
  if (key === undefined) return false;
  if (read.token === undefined) return true;
  const nowSeconds = Math.floor(Date.now() / 1000);
  return !(options.tokens ?? noMemory).verify(read.token, key, read.claimedFid, nowSeconds);
}

/** Returns why the fast path is barred until the volume server is known better. */
function serverBar(options: NeedleRouteOptions, { facts }: TargetEntry): Reason | undefined {
  if (options.readKey() === undefined && facts.auth !== 'open') return 'auth-unknown';
  return facts.server === undefined ? 'learn-server' : undefined;
}
