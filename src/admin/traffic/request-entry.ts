/** A finished request as `/api/requests` shows it: no cookie, no token. */
import type { RequestRecord } from '../../needle/outcome.ts';

export interface RequestEntry {
  /** ISO 8601: when it ended. */
  readonly at: string;
  /** The client's IP address; '' for a unix socket. */
  readonly client: string;
  readonly userAgent: string;
  /** A program of this package asked. */
  readonly isOwn: boolean;
  /** '': a connection that was piped raw. */
  readonly method: string;
  /** With the needle's cookie and tokens masked. */
  readonly path: string;
  /** null: it names none. */
  readonly volumeId: number | null;
  /** null: no answer began, or the proxy did not read it. */
  readonly status: number | null;
  readonly outcome: RequestRecord['outcome'];
  readonly reason: RequestRecord['reason'];
  readonly transport: string;
  readonly bodyBytes: number;
  readonly durationMs: number;
}

const statusAt = 'HTTP/1.1 '.length;
const zero = 0x30;

/** 0: no answer began, or the proxy did not read it. */
export function statusOf(answerHead: RequestRecord['answerHead']): number {
  let status = 0;
  for (let at = statusAt; at < statusAt + 3; at += 1) {
    const code = typeof answerHead === 'string' ? answerHead.charCodeAt(at) : answerHead[at];
    const digit = (code ?? 0) - zero;
    if (!(digit >= 0 && digit <= 9)) return 0;
    status = status * 10 + digit;
  }
  return status;
}
