import { setTimeout as sleep } from 'node:timers/promises';

/** What must come has not come by then: something is wrong. */
const patienceMs = 10_000;

/** True as soon as the condition is; false when it has not become so. */
export async function happens(
  condition: () => boolean,
  withinMs: number = patienceMs,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await sleep(1);
  }
  return true;
}
