/** One read through a proxy with `debug_headers`, and what the history of its needle says about it. */
import type { Seen, Violation } from './history.ts';
import type { ClientAnswer, KeepAliveClient } from './keep-alive-client.ts';
import type { ReadPlan, TrackedNeedle, Unavailable } from './tracked-needle.ts';

export interface JudgedRead {
  readonly path: string;
  readonly begunAt: number;
  readonly endedAt: number;
  readonly answer: ClientAnswer;
  /** Who answered: cache, rdma, passthrough. */
  readonly source: string;
  /** Why it passed; else ''. */
  readonly reason: string;
  readonly seen: Seen | Unavailable;
  /** undefined: it could have been, or it was no answer of a needle's. */
  readonly violation: Violation | undefined;
}

export const plainGet: ReadPlan = { kind: 'get', method: 'GET', headers: {} };

/** Rejects as the client does. */
export async function readJudged(
  client: KeepAliveClient,
  needle: TrackedNeedle,
  plan: ReadPlan = plainGet,
): Promise<JudgedRead> {
  const { method, headers } = plan;
  const begunAt = performance.now();
  const answer = await client.request({ method, path: needle.path, headers });
  const endedAt = performance.now();
  const seen = needle.seenIn(plan, answer);
  const said = /^([^;]*)(?:;.*?reason=([^;]*))?/.exec(answer.headers.get('x-rdma-source') ?? '');
  const source = said?.[1] || 'nobody';
  const reason = said?.[2] ?? '';
  const violation =
    seen.kind === 'unavailable' ? undefined : needle.history.judge({ begunAt, endedAt, seen });
  return { path: needle.path, begunAt, endedAt, answer, source, reason, seen, violation };
}
