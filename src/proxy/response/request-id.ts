import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(4096);
let poolOffset = pool.length;

/** Wall clock minus monotonic clock, so that one cheap reading gives nanoseconds of the unix time. */
let skewNs = 0n;
let skewUntilNs = -1n;
const skewLifeNs = 1_000_000_000n;

/** X-Amz-Request-Id: the unix time in ns as hex, then 8 random hex digits, upper case (specification 5.2). */
export function newRequestId(): string {
  return unixNs().toString(16).toUpperCase() + randomDigits();
}

function unixNs(): bigint {
  const monotonicNs = process.hrtime.bigint();
  if (monotonicNs >= skewUntilNs) {
    skewNs = BigInt(Date.now()) * 1_000_000n - monotonicNs;
    skewUntilNs = monotonicNs + skewLifeNs;
  }
  return monotonicNs + skewNs;
}

function randomDigits(): string {
  if (poolOffset === pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const digits = pool.toString('hex', poolOffset, poolOffset + 4);
  poolOffset += 4;
  return digits.toUpperCase();
}
