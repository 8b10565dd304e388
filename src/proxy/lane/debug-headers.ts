/** Adds who answered, and how long it took, to an answer's head (`debug_headers`). */
export function withDebugHeaders(head: string, source: string, durationMs: number): string {
  const lines = `X-Rdma-Source: ${source}\r\nServer-Timing: total;dur=${durationMs.toFixed(3)}\r\n`;
  return `${head.slice(0, -2)}${lines}\r\n`;
}
