/** An endpoint's answer; the listener sends it and counts it. */
import type { SidecarRefusal } from './refusal.ts';
import type { SidecarOutcome } from './sidecar-outcome.ts';

export interface SidecarAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Views, valid until `release`. */
  readonly body: readonly Buffer[];
  readonly outcome: SidecarOutcome;
  readonly reason: string;
  readonly needleBytes: number;
  /** The client has what it wants once it has the head: it may go away before the body's end. */
  readonly isHeadEnough?: boolean;
  /** Called once, when the last byte was flushed or the connection closed. */
  release?(): void;
}

/** 64-bit numbers go out as decimal strings. */
export function jsonAnswer(value: object, status = 200): SidecarAnswer {
  const text = JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? member.toString() : member,
  );
  return {
    status,
    headers: { 'Content-Type': 'application/json' },
    body: [Buffer.from(`${text}\n`, 'utf8')],
    outcome: outcomeOf(status),
    reason: '',
    needleBytes: 0,
  };
}

export function refused({ status, reason, message, headers }: SidecarRefusal): SidecarAnswer {
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
    body: [Buffer.from(`${message}\n`, 'utf8')],
    outcome: outcomeOf(status),
    reason,
    needleBytes: 0,
  };
}

function outcomeOf(status: number): SidecarOutcome {
  if (status < 400) return 'ok';
  return status < 500 ? 'refused' : 'error';
}

/** Formats a time as Go's time.Duration reads it. */
export function goDuration(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(6)}s`;
  return ms >= 1 ? `${ms.toFixed(3)}ms` : `${(ms * 1_000).toFixed(1)}us`;
}
