/** The shared part of a front's connections, and their helpers. */

import type { AnswerPace } from '../../connections/answer-pace.ts';
import type { Turnstile } from '../../connections/turnstile.ts';
import type { NeedleRoute } from '../../needle/needle-outcome.ts';
import type { RequestObserver } from '../../needle/request-record.ts';
import type { Lanes } from '../lanes/lanes.ts';
import type { OutputChunks } from './deliver.ts';
import type { Forwarder } from './forwarder.ts';
import type { FrontCounters } from './front-counters.ts';
import type { FrontLimits } from './limits.ts';
import type { OwnConnections } from './own-connections.ts';
import type { VirtualConnection } from './virtual-connection.ts';

/** The state that all connections of a front share. */
export interface ConnectionHost {
  readonly route: NeedleRoute;
  readonly observers: readonly RequestObserver[];
  readonly limits: FrontLimits;
  readonly counters: FrontCounters;
  /** The relay that forwards requests without the framework. */
  readonly relay: Forwarder;
  /** False: everything goes the framework's way, but HTTP/1.0, which only the relay forwards as such. */
  readonly isLaneOn: boolean;
  /** Absent: every request is answered by the event loop. */
  readonly lanes: Lanes | undefined;
  readonly debugHeaders: boolean;
  readonly isTimed: boolean;
  /** Those whose answers say it all the same. */
  readonly ownConnections: OwnConnections;
  readonly smallAnswers: OutputChunks;
  /** Heads that came together are read and begun through it. */
  readonly turnstile: Turnstile;
  /** Long answers are read and sent by it. */
  readonly pace: AnswerPace;
  /** No further request is begun on a connection. */
  readonly draining: boolean;
  readonly connectTimeoutMs: number;
  /** Something threw that must not: the request in hand gets 502, all others go on. */
  bug(error: unknown): void;
  /** Makes Node's http server listen to a virtual connection. */
  adopt(virtual: VirtualConnection): void;
}
