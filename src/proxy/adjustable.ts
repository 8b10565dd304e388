/**
 * Settings that may change while the proxy runs. Plain objects that the front and the corridor read at each use, so
 * that a request asks for nothing.
 */
import type { FallbackOptions } from './corridor/fallback.ts';
import type { HttpFront, HttpFrontOptions } from './front/server.ts';
import type { Lanes } from './lanes/lanes.ts';

export interface ProxyAdjustment {
  readonly onCorrupt: FallbackOptions['onCorrupt'];
  /** For the next answer. */
  readonly debugHeaders: boolean;
  /** For the next connection. */
  readonly connections: number;
  /** For the next request. */
  readonly bytesInFlight: number;
  /** For the next slow answer. */
  readonly connectionBytes: number;
}

export class Adjustable {
  readonly limits: HttpFrontOptions['limits'];
  readonly policy: Pick<FallbackOptions, 'onCorrupt'>;
  /** The front, once there is one. */
  front: HttpFront | undefined;
  lanes: Lanes | undefined;

  constructor({ limits, onCorrupt }: Pick<HttpFrontOptions, 'limits'> & Adjustable['policy']) {
    this.limits = { ...limits };
    this.policy = { onCorrupt };
  }

  adjust({ onCorrupt, debugHeaders, ...limits }: ProxyAdjustment): void {
    Object.assign(this.policy, { onCorrupt });
    Object.assign(this.limits, limits);
    if (this.front !== undefined) this.front.debugHeaders = debugHeaders;
    this.lanes?.adjust();
  }
}
