/** Why a needle was not read: one table, from the protocol's statuses to whose fault it is. */
import type { StatusName } from '../rdma/status.ts';

/** The ways in which a read ends without bytes; docs/client.md explains each. */
export type ReadFailure = Exclude<StatusName, 'ok'>;

/**
 * - `needle`: there are no such bytes to be had, now or later.
 * - `caller`: the request, the secret or the client's own limits must change.
 * - `client`: this process holds too much at the moment.
 * - `target`: the target, its disk or its volume server.
 * - `fabric`: the connection to the target.
 */
export type ReadFault = 'needle' | 'caller' | 'client' | 'target' | 'fabric';

interface FailureRow {
  readonly fault: ReadFault;
  /** True if the read may succeed later, with nothing changed by the caller. */
  readonly retryable: boolean;
  /** Another target that has the volume may answer: it is asked before the read fails. */
  readonly asksAnother: boolean;
  readonly text: string;
}

const final = { retryable: false, asksAnother: false } as const;
const elsewhere = { retryable: false, asksAnother: true } as const;
const passing = { retryable: true, asksAnother: true } as const;

export const readFailures: Readonly<Record<ReadFailure, FailureRow>> = {
  not_found: { fault: 'needle', ...final, text: 'there is no such needle' },
  deleted: { fault: 'needle', ...final, text: 'the needle was deleted' },
  cookie_mismatch: { fault: 'needle', ...final, text: 'the cookie is not that of the needle' },
  expired: { fault: 'needle', ...final, text: 'the needle’s ttl has passed' },
  empty: { fault: 'needle', ...final, text: 'the needle holds no data: ask the volume server' },
  corrupt: { fault: 'target', ...elsewhere, text: 'the stored record is damaged' },
  too_large: { fault: 'caller', ...final, text: 'does not fit memoryBytes or decodedBytesMax' },
  unsupported_volume: {
    fault: 'target',
    ...elsewhere,
    text: 'the volume is of a kind that the fast path does not read: ask the volume server',
  },
  unknown_volume: { fault: 'target', ...elsewhere, text: 'no target has the volume' },
  volume_unconfirmed: {
    fault: 'target',
    ...passing,
    text: 'the volume server does not confirm the volume at the moment',
  },
  no_slab: {
    fault: 'client',
    ...passing,
    text: 'no memory is free: release needles, or connect with more memoryBytes',
  },
  deadline: { fault: 'fabric', ...passing, text: 'no answer within timeoutMs' },
  overload: { fault: 'client', ...passing, text: 'too many reads at once, here or at the target' },
  io_error: { fault: 'target', ...passing, text: 'the target could not read its disk' },
  bad_request: { fault: 'caller', ...final, text: 'the target does not understand the request' },
  unsupported_version: {
    fault: 'caller',
    ...elsewhere,
    text: 'the target speaks another version of the protocol',
  },
  unauthorized: { fault: 'caller', ...elsewhere, text: 'the secret is not the target’s' },
  not_connected: {
    fault: 'fabric',
    ...passing,
    text: 'no target is connected that has the volume',
  },
  peer_lost: { fault: 'fabric', ...passing, text: 'the connection was lost during the read' },
  closed: { fault: 'caller', ...final, text: 'the client was closed during the read' },
  protocol_error: { fault: 'target', ...elsewhere, text: 'the answer cannot be understood' },
};

/** A read that gave no bytes. Aborted reads reject with the signal's reason instead. */
export class NeedleReadError extends Error {
  readonly status: ReadFailure;
  readonly volumeId: number;
  readonly needleId: bigint;
  /** The target that was asked last; undefined: there was none to ask. */
  readonly target: string | undefined;

  constructor(
    status: ReadFailure,
    needle: { readonly volumeId: number; readonly needleId: bigint },
    target?: string,
    detail?: string,
  ) {
    // Without the cookie, which is as good as a password for the needle.
    const name = `needle ${needle.volumeId},${needle.needleId.toString(16)}…`;
    const asked = target === undefined ? '' : ` (target ${target})`;
    const more = detail === undefined || detail === '' ? '' : `: ${detail}`;
    super(`${name}: ${status}, ${readFailures[status].text}${asked}${more}`);
    this.name = 'NeedleReadError';
    this.status = status;
    this.volumeId = needle.volumeId;
    this.needleId = needle.needleId;
    this.target = target;
  }

  /** True if the read may succeed later, with nothing changed by the caller. */
  get retryable(): boolean {
    return readFailures[this.status].retryable;
  }

  get fault(): ReadFault {
    return readFailures[this.status].fault;
  }
}

/** connect() reached none of the targets in time. */
export class TargetsUnreachableError extends Error {
  /** Each with what its transport says. */
  readonly targets: readonly { readonly address: string; readonly detail: string }[];

  constructor(targets: TargetsUnreachableError['targets']) {
    super(
      `no target can be reached: ${targets.map(({ address, detail }) => `${address} (${detail})`).join(', ')}`,
    );
    this.name = 'TargetsUnreachableError';
    this.targets = targets;
  }
}
