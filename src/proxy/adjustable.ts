/**
 * What may change while the proxy runs. Plain objects that the front and the corridor read at each use: nothing is asked
 * for on the way of a request.
 */
import type { FallbackOptions } from './fallback.ts';
import type { HttpFrontOptions } from './server.ts';

export interface ProxyAdjustment {
  readonly onCorrupt: FallbackOptions['onCorrupt'];
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

  constructor({ limits, onCorrupt }: Pick<HttpFrontOptions, 'limits'> & Adjustable['policy']) {
    this.limits = { ...limits };
    this.policy = { onCorrupt };
  }

  adjust({ onCorrupt, connections, bytesInFlight, connectionBytes }: ProxyAdjustment): void {
    Object.assign(this.policy, { onCorrupt });
    Object.assign(this.limits, { connections, bytesInFlight, connectionBytes });
  }
}
