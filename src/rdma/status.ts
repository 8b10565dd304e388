/** The protocol's answer statuses. Single source: native/protocol/status.def; a test compares them. */
export const statusNumbers = {
  ok: 0,
  not_found: 1,
  deleted: 2,
  cookie_mismatch: 3,
  expired: 4,
  empty: 5,
  corrupt: 6,
  too_large: 7,
  unsupported_volume: 8,
  unknown_volume: 9,
  volume_unconfirmed: 10,
  no_slab: 11,
  deadline: 12,
  overload: 13,
  io_error: 14,
  bad_request: 15,
  unsupported_version: 16,
  unauthorized: 17,
  not_connected: 64,
  peer_lost: 65,
  closed: 66,
  protocol_error: 67,
} as const;

export type StatusName = keyof typeof statusNumbers;

export const statusNames = Object.keys(statusNumbers) as readonly StatusName[];

export type Failure = { readonly kind: 'failed'; readonly status: Exclude<StatusName, 'ok'> };

const failures = new Map<number, Failure>();
for (const [name, number] of Object.entries(statusNumbers)) {
  if (name !== 'ok') {
    failures.set(number, { kind: 'failed', status: name as Exclude<StatusName, 'ok'> });
  }
}
const unknownFailure: Failure = { kind: 'failed', status: 'protocol_error' };

export function failureOf(status: number): Failure {
  return failures.get(status) ?? unknownFailure;
}
