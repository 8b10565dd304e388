/** A request that gets no bytes, and why: the status, the reason that is counted, and the text that the client reads. */
import type { Reason } from '../../needle/reasons.ts';

/** Why a request gets no bytes, beside the corridor's own reasons; docs/sidecar.md explains each. */
export const refusalReasons = [
  'parameter',
  'path',
  'method',
  'browser',
  'server',
  'auth',
  'not-found',
  'range',
  'too-large',
  'manifest',
  'overload',
  'no-needle',
  'temp-file',
  'upstream',
  'deadline',
  'bug',
] as const;

export type RefusalReason = (typeof refusalReasons)[number] | Reason;

export interface SidecarRefusal {
  readonly kind: 'refused';
  readonly status: number;
  readonly reason: RefusalReason;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function refusal(
  status: number,
  reason: RefusalReason,
  message: string,
  headers?: Readonly<Record<string, string>>,
): SidecarRefusal {
  const base = { kind: 'refused', status, reason, message } as const;
  return headers === undefined ? base : { ...base, headers };
}

export function badParameter(name: string, message: string): SidecarRefusal {
  return refusal(400, 'parameter', `parameter "${name}": ${message}`);
}

/** `totalBytes` undefined: not known. */
export function beyondTheEnd(offset: bigint | number, totalBytes?: number): SidecarRefusal {
  const length =
    totalBytes === undefined ? 'any needle' : `the needle, which has ${totalBytes} bytes`;
  const headers = { 'Content-Range': `bytes */${totalBytes ?? '*'}` };
  return refusal(
    416,
    'range',
    `parameter "offset": ${offset} is past the end of ${length}`,
    totalBytes === undefined ? undefined : headers,
  );
}

export function tooLong(bytes: number | string, bytesMax: number): SidecarRefusal {
  return refusal(
    413,
    'too-large',
    `${bytes} bytes are more than one read gets: ask for ranges of up to ${bytesMax} bytes, or raise sidecar.read_bytes_max`,
  );
}

/** The volume server answered what cannot be passed on, or not at all. */
export function badAnswer(what: string): SidecarRefusal {
  return refusal(502, 'upstream', `the volume server ${what}`);
}
