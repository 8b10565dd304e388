/** A client of SeaweedFS: writes its contents once, then reads and compares them in each pass. */
import type { Cluster } from './cluster.ts';

export interface RealClient {
  readonly name: string;
  /** Starts what it needs and writes what it will read. */
  prepare(cluster: Cluster): Promise<void>;
  /**
   * Reads everything and compares every byte; throws where one is wrong. Nothing of an earlier pass may lie in a cache of
   * the client's own.
   */
  read(cluster: Cluster, pass: number): Promise<void>;
  /** Compares after a pass what another client must be asked for. */
  compare?(): Promise<void>;
}
