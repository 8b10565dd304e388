/**
 * The errors that this room throws. Expected outcomes of a fetch are returned (see needle-fetcher.ts); thrown are only
 * a part that cannot start and a caller's mistake.
 */

interface ErrorRow {
  /** The side at fault: the machine's set-up, the configuration, or the calling code. */
  readonly fault: 'setup' | 'configuration' | 'caller';
  /** Reads may be served without this part: over HTTP, or by another transport. */
  readonly mayFallBack: boolean;
}

export type RdmaErrorCode =
  | 'addon-missing'
  | 'addon-version'
  | 'no-ucx'
  | 'start-failed'
  | 'untrusted-network'
  | 'misuse';

/** One closed table; each code is thrown with a message that names its exact cause. */
export const rdmaErrors: Readonly<Record<RdmaErrorCode, ErrorRow>> = {
  /** The native part is not built, or cannot be loaded. */
  'addon-missing': { fault: 'setup', mayFallBack: true },
  /** The native part speaks another protocol version: it belongs to another build. */
  'addon-version': { fault: 'setup', mayFallBack: true },
  /** The native part was built without UCX. */
  'no-ucx': { fault: 'setup', mayFallBack: true },
  /** Memory, UCX, the engine or the listener cannot be had; the message says which and why. */
  'start-failed': { fault: 'configuration', mayFallBack: true },
  /**
   * UCX's TCP would listen beyond loopback, and the configuration does not say that the network may be trusted with
   * that.
   */
  'untrusted-network': { fault: 'configuration', mayFallBack: true },
  /** A call after close(), or one that the kind of client does not have. */
  misuse: { fault: 'caller', mayFallBack: false },
};

/** The fast path cannot be had on this machine or with this configuration. */
export class RdmaUnavailableError extends Error {
  readonly code: Exclude<RdmaErrorCode, 'misuse'>;

  constructor(code: Exclude<RdmaErrorCode, 'misuse'>, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RdmaUnavailableError';
    this.code = code;
  }

  get fault(): ErrorRow['fault'] {
    return rdmaErrors[this.code].fault;
  }

  get mayFallBack(): boolean {
    return rdmaErrors[this.code].mayFallBack;
  }
}

/** A bug in the calling code. */
export class RdmaMisuseError extends Error {
  readonly code = 'misuse';
  readonly fault: ErrorRow['fault'] = rdmaErrors.misuse.fault;
  readonly mayFallBack: boolean = rdmaErrors.misuse.mayFallBack;

  constructor(message: string) {
    super(message);
    this.name = 'RdmaMisuseError';
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
