/** How the proxy answered a client's volume reads: the difference of its own counters, and what a run must come to. */

export interface Answered {
  readonly cache: number;
  readonly rdma: number;
  /** Reads that were forwarded, by reason. */
  readonly forwarded: Readonly<Record<string, number>>;
  readonly errors: number;
}

interface Totals {
  readonly outcomes: Readonly<Record<'cache' | 'rdma' | 'passthrough' | 'error', number>>;
  readonly passthrough: Readonly<Record<string, number>>;
}

/** Reason of a write, a delete or another request that is no GET or HEAD. */
const noRead = 'method';

export async function totalsOf(admin: string): Promise<Totals> {
  const answer = await fetch(`http://${admin}/stats`);
  return ((await answer.json()) as { readonly requests: Totals }).requests;
}

/** What came between two looks. */
export function answeredBetween(before: Totals, after: Totals): Answered {
  const forwarded = Object.entries(after.passthrough)
    .map(([reason, count]) => [reason, count - (before.passthrough[reason] ?? 0)] as const)
    .filter(([reason, count]) => reason !== noRead && count > 0);
  return {
    cache: after.outcomes.cache - before.outcomes.cache,
    rdma: after.outcomes.rdma - before.outcomes.rdma,
    forwarded: Object.fromEntries(forwarded),
    errors: after.outcomes.error - before.outcomes.error,
  };
}

export function readsOf({ cache, rdma, forwarded, errors }: Answered): number {
  return cache + rdma + errors + Object.values(forwarded).reduce((sum, each) => sum + each, 0);
}

/** Of all its reads; NaN without any. */
export function shareHere(answered: Answered): number {
  return (answered.cache + answered.rdma) / readsOf(answered);
}

export function describe(answered: Answered): string {
  const reads = readsOf(answered);
  if (reads === 0) return 'no read came';
  const parts = [`${answered.cache} cache`, `${answered.rdma} rdma`];
  for (const [reason, count] of Object.entries(answered.forwarded)) {
    parts.push(`${count} forwarded (${reason})`);
  }
  if (answered.errors > 0) parts.push(`${answered.errors} errors`);
  return `${reads} reads: ${parts.join(', ')}: ${(shareHere(answered) * 100).toFixed(1)} % here`;
}
