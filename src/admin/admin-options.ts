/** The options of a role's admin listener: plain data, read at each request, and the actions that a role allows. */
import type { Socket } from 'node:net';
import type { ConnectionLimits } from '../connections/connection-bounds.ts';
import type { EvictionChoice, ListedNeedle } from '../proxy/cache/cache-listing.ts';
import type { CacheStats } from '../proxy/cache/cache-status.ts';
import type { Readiness } from './health.ts';
import type { Exposition } from './metrics/metric-set.ts';
import type { Health, ProxyStats, TargetStats } from './stats.ts';
import type { TrafficWatch } from './traffic/traffic-watch.ts';

export type AdminListen =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** One key of the configuration, as `config check` lists it. Secrets are names of files. */
export interface ConfigurationKey {
  /** Dotted. */
  readonly key: string;
  readonly value: unknown;
  /** "default", "FILE:LINE", or the name of a variable. */
  readonly from: string;
}

/** Actions that only a proxy offers. */
export interface ProxyActions {
  readonly cacheStats: () => CacheStats;
  /** Those asked for most lately first. */
  readonly cachedNeedles: (countMax: number) => readonly ListedNeedle[];
  /** Returns how many left. */
  readonly evict: (choice: EvictionChoice) => number;
  readonly traffic: TrafficWatch;
  /** A new connection to the proxy's own HTTP listener; undefined while it does not listen. */
  readonly connect: () => Socket | undefined;
}

/** Where a role has its admin listener, and for whom. */
export interface AdminPlace {
  readonly listen: AdminListen;
  /**
   * The token that clients send as `Authorization: Bearer`, except to /livez and /readyz; undefined: no token is asked
   * for.
   */
  readonly token: () => string | undefined;
  readonly enableCors: boolean;
  readonly limits: ConnectionLimits;
  /** The keys that the role runs with; undefined: the program that started it did not say. */
  readonly configuration?: (() => readonly ConfigurationKey[]) | undefined;
}

export interface AdminOptions extends AdminPlace {
  readonly role: 'proxy' | 'target';
  readonly version: string;
  readonly health: () => Health;
  readonly readiness: () => Readiness;
  readonly stats: () => ProxyStats | TargetStats;
  readonly metrics: () => Promise<Exposition>;
  /** undefined on a target. */
  readonly proxy?: ProxyActions;
}
