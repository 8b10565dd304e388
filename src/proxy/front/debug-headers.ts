export interface DebugFacts {
  /** X-Rdma-Source. */
  readonly source: string;
  /** The part of Cache-Status behind the cache's name (RFC 9211). */
  readonly cacheStatus: string;
  readonly durationMs: number;
}

/** Adds who answered, what the cache had to do with it, and how long it took, to an answer's head (`debug_headers`). */
export function withDebugHeaders(head: string, facts: DebugFacts): string {
  const lines =
    `X-Rdma-Source: ${facts.source}\r\nCache-Status: seaweed-rdma; ${facts.cacheStatus}\r\n` +
    `Server-Timing: total;dur=${facts.durationMs.toFixed(3)}\r\n`;
  return `${head.slice(0, -2)}${lines}\r\n`;
}
