/** How long a client connection may go without progress. Pure. */
import { halfClosedMs } from '../../connections/paced-connection.ts';
import { type FrontLimits, lingerMs } from './limits.ts';

export interface Standing {
  /** waiting: for a turn of the event loop. */
  readonly state: 'head' | 'lane' | 'busy' | 'raw' | 'closing' | 'waiting';
  /** The client has not taken all that was sent. */
  readonly isSending: boolean;
  readonly hasUnread: boolean;
  /** The client sends no more. */
  readonly inputEnded: boolean;
}

export function patienceMs(
  { state, isSending, hasUnread, inputEnded }: Standing,
  limits: FrontLimits,
): number {
  if (isSending) return limits.idleTimeoutMs;
  switch (state) {
    case 'closing':
      return lingerMs;
    case 'head':
      return hasUnread ? limits.headTimeoutMs : limits.idleTimeoutMs;
    case 'busy':
      return inputEnded ? halfClosedMs : Number.POSITIVE_INFINITY;
    default:
      return Number.POSITIVE_INFINITY;
  }
}
