/** A finished request as `/api/requests` shows it: no cookie, no token. */
import { reasons } from '../../needle/reasons.ts';
import { outcomes } from '../../needle/request-record.ts';
import {
  amount,
  count,
  described,
  flag,
  nullable,
  oneOf,
  record,
  text,
  time,
  type ValueOf,
} from '../../schema/json-schema.ts';

export const requestEntry = record({
  at: described(time, 'When it ended.'),
  client: described(text, "The client's IP address; empty: a unix socket."),
  userAgent: text,
  isOwn: described(flag, 'True if a program of this package sent the request.'),
  method: described(text, 'Empty: a connection that was piped raw.'),
  path: described(text, "The needle's cookie and tokens are masked."),
  volumeId: described(nullable(count), 'null: the request names none.'),
  status: described(nullable(count), 'null: no answer began, or the proxy did not read it.'),
  outcome: oneOf(...outcomes),
  reason: oneOf('', ...reasons),
  transport: text,
  bodyBytes: count,
  durationMs: amount,
});
export type RequestEntry = ValueOf<typeof requestEntry>;
