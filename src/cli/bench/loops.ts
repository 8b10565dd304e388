/** The two kinds of load. Latency runs from when a read was meant to be sent, so that waiting for a slow one counts. */

export interface Tally {
  readonly latenciesUs: number[];
  readonly failures: Map<string, number>;
}

type Operation = (index: number) => Promise<void>;

/** `depth` reads at once; the next one begins when one ends. */
export async function closedLoop(
  operation: Operation,
  iterations: number,
  depth: number,
): Promise<Tally> {
  const tally: Tally = { latenciesUs: [], failures: new Map() };
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < iterations) {
      const index = next;
      next += 1;
      await timed(operation, index, performance.now(), tally);
    }
  };
  await Promise.all(Array.from({ length: Math.min(depth, iterations) }, runner));
  return tally;
}

/** `ratePerSecond` reads a second, whether the earlier ones have ended or not. */
export function openLoop(
  operation: Operation,
  iterations: number,
  ratePerSecond: number,
): Promise<Tally> {
  const tally: Tally = { latenciesUs: [], failures: new Map() };
  const gapMs = 1000 / ratePerSecond;
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let sent = 0;
    let ended = 0;
    const send = (): void => {
      const dueCount = Math.floor((performance.now() - startedAt) / gapMs) + 1;
      while (sent < iterations && sent < dueCount) {
        const meantAt = startedAt + sent * gapMs;
        void timed(operation, sent, meantAt, tally).then(() => {
          ended += 1;
          if (ended === iterations) resolve(tally);
        });
        sent += 1;
      }
      if (sent === iterations) return;
      // A timer is a millisecond late at best: what is due sooner is waited for by turning.
      const waitMs = startedAt + sent * gapMs - performance.now();
      if (waitMs > 2) setTimeout(send, waitMs - 1);
      else setImmediate(send);
    };
    send();
  });
}

async function timed(
  operation: Operation,
  index: number,
  meantAtMs: number,
  { latenciesUs, failures }: Tally,
): Promise<void> {
  try {
    await operation(index);
    latenciesUs.push((performance.now() - meantAtMs) * 1000);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    failures.set(why, (failures.get(why) ?? 0) + 1);
  }
}
