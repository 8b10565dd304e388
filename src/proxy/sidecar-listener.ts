/** The sidecar's listener, with what it asks of the proxy: the corridor, the targets, the metrics. No logic. */
import type { BytesRoute } from '../needle/needle-outcome.ts';
import { hasSecret, type Secret } from '../rdma/secret.ts';
import type { TargetDirectory } from './fleet/target-directory.ts';
import type { FabricPing, SidecarHost, SidecarOptions } from './sidecar/sidecar-options.ts';
import { type RunningSidecar, startSidecar } from './sidecar/sidecar-server.ts';

export interface SidecarListenerOptions
  extends Pick<
    SidecarOptions,
    'listen' | 'isOnLoopback' | 'signsReads' | 'httpFallback' | 'needleEnds' | 'limits' | 'temp'
  > {
  /** Other URLs under which clients know the volume servers. */
  readonly volumeServerAliases: readonly string[];
}

/** The part of the proxy's options that the listener needs. */
interface ProxyFacts {
  readonly version: string;
  readonly volumeServers: readonly { readonly url: string }[];
  readonly readKey: () => string | undefined;
  readonly cache: { readonly bytesMax: number };
  readonly rdma: {
    readonly deviceName: string;
    readonly secret: Secret;
    readonly timeoutMs: number;
  };
}

/** A larger needle than this share of the cache is read range by range, as the cache itself does it. */
const wholeShare = 0.125;

export function startSidecarListener(
  options: SidecarListenerOptions,
  facts: ProxyFacts,
  directory: TargetDirectory,
  host: Pick<SidecarHost, 'fabric' | 'observe' | 'log'> & { readonly route: BytesRoute },
): Promise<RunningSidecar> {
  const { volumeServerAliases, ...rest } = options;
  return startSidecar(
    {
      ...rest,
      version: facts.version,
      volumeServers: [...facts.volumeServers.map(({ url }) => url), ...volumeServerAliases],
      wholeBytesMax: Math.floor(facts.cache.bytesMax * wholeShare),
      deviceName: facts.rdma.deviceName,
      hasSecret: hasSecret(facts.rdma.secret),
    },
    {
      ...host,
      readKey: facts.readKey,
      ping: () => pings(directory, facts.rdma.timeoutMs),
      sessionOf: (volumeId) => {
        const state = directory.best(volumeId)?.entry.fetcher?.state;
        return state?.kind === 'up' ? `${state.sessionId}` : '';
      },
    },
  );
}

function pings(directory: TargetDirectory, timeoutMs: number): Promise<readonly FabricPing[]> {
  const fetchers = directory.entries.flatMap(({ fetcher }) => fetcher ?? []);
  const up = fetchers.filter(({ state }) => state.kind === 'up');
  return Promise.all(
    up.map(async (fetcher) => {
      const result = await fetcher.ping(timeoutMs);
      return result.kind === 'pong'
        ? { address: fetcher.address, roundTripUs: result.roundTripUs, failure: '' }
        : { address: fetcher.address, roundTripUs: undefined, failure: result.status };
    }),
  );
}
