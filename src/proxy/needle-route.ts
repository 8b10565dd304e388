/**
 * The corridor: one read, top to bottom; the only place where the rooms meet. Every step before the first byte may
 * answer a reason to pass the request to the volume server.
 */
import { verifyReadToken } from './auth/read-token.ts';
import { NeedleCache } from './cache/needle-cache.ts';
import { passTo, trouble } from './fallback.ts';
import {
  needlePathOf,
  parseRead,
  type ReadRequest,
  writtenNeedlesOf,
} from './needle/read-request.ts';
import type { RequestHead } from './needle/request-head.ts';
import type { NeedleOutcome, NeedleRoute, OutcomeReceiver } from './needle-outcome.ts';
import { NeedleRead, type Reading, type ReadOptions } from './needle-read.ts';
import type { Reason } from './outcome.ts';
import type { TargetDirectory, TargetEntry } from './targets/target-directory.ts';

export interface NeedleRouteOptions extends ReadOptions {
  /** SeaweedFS's jwt.signing.read.key; undefined: none. Asked at each request, so that it can be reloaded. */
  readonly readKey: () => string | undefined;
}

export function createNeedleRoute(
  options: NeedleRouteOptions,
  directory: TargetDirectory,
  cache: NeedleCache = NeedleCache.off(),
): NeedleRoute {
  return {
    serve(head, hasBody, receiver): void {
      try {
        serve(options, directory, cache, head, hasBody, receiver);
      } catch (error) {
        receiver.fail(error);
      }
    },
    upstreamFor: (target) => upstreamOf(directory, target),
  };
}

function serve(
  options: NeedleRouteOptions,
  directory: TargetDirectory,
  cache: NeedleCache,
  head: RequestHead,
  hasBody: boolean,
  receiver: OutcomeReceiver,
): void {
  const place = placeOf(options, directory, cache, head, hasBody);
  if ('read' in place) new NeedleRead(place, receiver).begin();
  else receiver.receive(place);
}

/** Where the request is served; or what becomes of it without that. */
function placeOf(
  options: NeedleRouteOptions,
  directory: TargetDirectory,
  cache: NeedleCache,
  head: RequestHead,
  hasBody: boolean,
): Reading | NeedleOutcome {
  if (writeMethods.has(head.method)) return passWrite(directory, cache, head);
  const parsed = parseRead(head);
  if (parsed.kind === 'passthrough') {
    return passTo(upstreamOf(directory, head.target), parsed.reason);
  }
  const { read } = parsed;
  const place = directory.find(read.volumeId);
  const { entry } = place;
  if (hasBody) return passTo(entry.upstreamUrl, 'body');
  const { fetcher } = entry;
  if (options.mode === 'off' || fetcher === undefined) return passTo(entry.upstreamUrl, 'off');

  const barred = tokenBar(options, entry, read) ?? serverBar(entry);
  if (barred !== undefined) return passTo(entry.upstreamUrl, barred);
  if (!place.announced) {
    const allUp = directory.entries.every((other) => other.fetcher?.state.kind === 'up');
    return trouble(options, entry, allUp ? 'unknown-volume' : 'target-down');
  }
  if (fetcher.state.kind !== 'up') return trouble(options, entry, 'target-down');
  if (!place.confirmed) return passTo(entry.upstreamUrl, 'volume-unconfirmed');
  return { options, entry, fetcher, cache, read };
}

/** What the volume server takes for a write; other methods change nothing. */
const writeMethods: ReadonlySet<string> = new Set(['PUT', 'POST', 'DELETE']);

/** Whatever may change a needle drops it when it leaves for the volume server, and again when that has answered. */
function passWrite(
  directory: TargetDirectory,
  cache: NeedleCache,
  { target }: RequestHead,
): NeedleOutcome {
  const upstreamUrl = upstreamOf(directory, target);
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

/** Writes and other requests of a volume go to the server that has it; the rest to the first one. */
function upstreamOf(directory: TargetDirectory, target: string): string {
  const needle = directory.entries.length === 1 ? undefined : needlePathOf(target);
  if (needle === undefined) return directory.first.upstreamUrl;
  return directory.find(needle.volumeId).entry.upstreamUrl;
}

function tokenBar(
  options: NeedleRouteOptions,
  entry: TargetEntry,
  read: ReadRequest,
): Reason | undefined {
  const key = options.readKey();
  if (key === undefined) return entry.facts.auth === 'open' ? undefined : 'auth-unknown';
  const nowSeconds = Math.floor(Date.now() / 1000);
  if (read.token === undefined) return 'auth';
  return verifyReadToken(read.token, key, read.claimedFid, nowSeconds) ? undefined : 'auth';
}

function serverBar(entry: TargetEntry): Reason | undefined {
  return entry.facts.server === undefined ? 'learn-server' : undefined;
}
