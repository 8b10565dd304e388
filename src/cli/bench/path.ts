/** One way of reading needles, as the comparison sees it; each runs in a process of its own. */
import type { FabricOptions } from '../fabric/fabric.ts';
import type { NeedleName } from '../needle-name.ts';

/** Where to read: over HTTP from a server, or from a target. */
export type PathPlace = HttpPlace | { readonly kind: 'fabric'; readonly fabric: FabricOptions };

export interface HttpPlace {
  readonly kind: 'http';
  /** At least one; of several the one that lists a needle's volume is asked. */
  readonly urls: readonly [string, ...string[]];
  /** Signs reads where the volume server wants tokens. */
  readonly readKey?: string | undefined;
}

export interface PathSpec {
  /** Name of the row: http, proxy, tcp, shm, rdma, target. */
  readonly name: string;
  readonly place: PathPlace;
}

export interface PathLoad {
  readonly needles: readonly NeedleName[];
  /** Bytes of each read; a shorter needle is read whole. */
  readonly bytes: number;
  readonly timeoutMs: number;
  /** Reads at once, at most. */
  readonly depth: number;
}

export type PathCommand =
  | { readonly kind: 'open'; readonly place: PathPlace; readonly load: PathLoad }
  | { readonly kind: 'sample'; readonly count: number }
  /** `ratePerSecond` 0: closed loop, `depth` reads at once. */
  | { readonly kind: 'run'; readonly iterations: number; readonly ratePerSecond: number };

export type PathAnswer =
  | { readonly kind: 'opened'; readonly detail: string }
  | { readonly kind: 'unavailable'; readonly detail: string }
  /** One entry for each needle read: the bytes' digest, or why it could not be read. */
  | { readonly kind: 'sampled'; readonly digests: readonly string[] }
  | ({ readonly kind: 'ran' } & PathRun);

export interface PathRun {
  readonly seconds: number;
  /** From when each read was meant to be sent. */
  readonly latenciesUs: Float64Array;
  readonly bytes: number;
  /** Failures, counted by their cause. */
  readonly failures: Readonly<Record<string, number>>;
  /** CPU time of the process that sent the reads. */
  readonly cpuUs: number;
}

/** Reads one needle: its bytes are looked at before this resolves. Rejects with why not. */
export type ReadNeedle = (needle: NeedleName, look: (bytes: Uint8Array) => void) => Promise<void>;
