/** Logs a target's sessions: with a limit a minute, since proxies decide how often they come. */
import type { SessionEvent } from '../../rdma/target-host.ts';
import type { LimitedLog, LineSink } from '../../telemetry/limited-log.ts';

const unproven =
  "a connection of UCX ended before it became a session: one side could not dial the other back. Over UCX's TCP a proxy must come from the first address of its device, without source NAT or a firewall between";
const notDialled =
  'UCX could not dial a proxy back: it comes from an address that is not the first of its device, or through NAT, or has another family or transports';

const messages: Readonly<Record<SessionEvent['kind'], string>> = {
  welcomed: 'a proxy is served',
  refused: 'a connection was refused',
  ended: 'a session has ended',
  lost: 'a session was lost: it ended without goodbye',
  translated: 'a proxy does not come from its own address: over TCP it may find no session',
};

const refusals: Partial<Record<NonNullable<SessionEvent['status']>, string>> = {
  unauthorized: 'a connection was refused: the secret of its peer is another one',
  bad_request: 'a connection was refused: its peer is no proxy, or one of an older version',
  overload: 'a connection was refused: there is no place for it',
  not_connected: notDialled,
};

function refusalText(status: SessionEvent['status']): string {
  return status === undefined ? unproven : (refusals[status] ?? messages.refused);
}

export function sessionLog(sink: LineSink, limited: LimitedLog): (event: SessionEvent) => void {
  return ({ kind, sessionId, status, peer, detail }) => {
    const event = `session-${kind}`;
    if (!limited.mayWrite(event)) return;
    const session_id = sessionId === undefined ? undefined : `${sessionId}`;
    const fields = { event, session_id, reason: status, peer, detail };
    const message = kind === 'refused' ? refusalText(status) : messages[kind];
    if (kind === 'welcomed' || kind === 'ended') sink.info(fields, message);
    else sink.warn(fields, message);
  };
}
