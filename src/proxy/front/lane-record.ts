/** The record of a request that a lane has answered, and that is looked at more closely than others. */
import { RequestFramer } from '../../http1/request-framer.ts';
import type { RequestRecord } from '../../needle/request-record.ts';
import type { NativeSample } from '../../rdma/native-lane-types.ts';

/** Published heads were framed before. */
const framer = new RequestFramer(Number.POSITIVE_INFINITY);

/** `address`: the client's. undefined: its bytes are no request. */
export function recordOf(sample: NativeSample, address: string): RequestRecord | undefined {
  const framed = framer.frame(Buffer.from(sample.request, 'latin1'), 0);
  if (framed.kind !== 'request') return undefined;
  return {
    outcome: 'cache',
    reason: '',
    transport: 'none',
    sessionId: 0n,
    durationMs: sample.durationMs,
    bodyBytes: sample.bytes,
    request: framed.head,
    answerHead: sample.answerHead,
    client: { address, isOwn: false },
    decidedMs: 0,
  };
}
