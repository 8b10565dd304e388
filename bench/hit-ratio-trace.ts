/** Made-up traffic for the needle store, the same in every run, and its replay against the store and against plain LRU. */
import { LRUCache } from 'lru-cache';
import { NeedleStore } from '../src/proxy/cache/needle-store.ts';

export interface TraceOptions {
  readonly objects: number;
  readonly requests: number;
  /** Exponent of the popularity: the nth most popular object is asked for 1/n^skew as often as the first. */
  readonly skew: number;
  /** Share of all requests; each scan asks once for every one of `scanLength` objects, which are not asked for again. */
  readonly scanShare: number;
  readonly scanLength: number;
  /** Requests until half of the popular objects changed places with others; 0: never. */
  readonly shiftEvery: number;
  readonly seed: number;
}

export interface Trace {
  /** Object numbers; those from `objects` on are scanned. */
  readonly asked: Uint32Array;
  readonly sizes: Float64Array;
  readonly objects: number;
  /** Bytes of all objects that are not scanned. */
  readonly totalBytes: number;
}

/** Ratios over the requests that are not part of a scan, which no policy can answer, after the first fifth of the trace. */
export interface Ratios {
  readonly hits: number;
  readonly bytes: number;
}

export type Policy = (bytesMax: number) => { ask(object: number, bytes: number): boolean };

const kib = 1024;
const largeEvery = 2500;

export function makeTrace(options: TraceOptions): Trace {
  const random = randomFrom(options.seed);
  const scanned = Math.ceil(options.requests * options.scanShare);
  const sizes = new Float64Array(options.objects + scanned + options.scanLength);
  for (let i = 0; i < sizes.length; i += 1) {
    sizes[i] = Math.floor(kib * 2 ** (random() * 10));
    if (i < options.objects && i % largeEvery === 7)
      sizes[i] = Math.floor((8 + 56 * random()) * kib * kib);
  }
  const objectOf = shuffled(options.objects, random);
  const rank = zipf(options.objects, options.skew, random);
  const asked = new Uint32Array(options.requests);
  let scans = options.objects;
  let scanLeft = 0;
  for (let i = 0; i < asked.length; i += 1) {
    if (options.shiftEvery > 0 && i > 0 && i % options.shiftEvery === 0) {
      shiftHalf(objectOf, random);
    }
    if (
      scanLeft === 0 &&
      random() < options.scanShare / (1 - options.scanShare) / options.scanLength
    ) {
      scanLeft = options.scanLength;
    }
    if (scanLeft > 0 && scans < sizes.length) {
      scanLeft -= 1;
      asked[i] = scans;
      scans += 1;
    } else {
      scanLeft = 0;
      asked[i] = objectOf[rank()] as number;
    }
  }
  const totalBytes = sizes.subarray(0, options.objects).reduce((sum, size) => sum + size, 0);
  return { asked, sizes, objects: options.objects, totalBytes };
}

export function replay(trace: Trace, policy: Policy, cacheShare: number): Ratios {
  const cache = policy(Math.floor(trace.totalBytes * cacheShare));
  const warmUp = trace.asked.length / 5;
  const sum = { asked: 0, hits: 0, askedBytes: 0, hitBytes: 0 };
  for (const [i, object] of trace.asked.entries()) {
    const bytes = trace.sizes[object] as number;
    const isHit = cache.ask(object, bytes);
    if (i < warmUp || object >= trace.objects) continue;
    sum.asked += 1;
    sum.askedBytes += bytes;
    if (!isHit) continue;
    sum.hits += 1;
    sum.hitBytes += bytes;
  }
  return { hits: sum.hits / sum.asked, bytes: sum.hitBytes / sum.askedBytes };
}

export const needleStore: Policy = (bytesMax) => {
  const store = new NeedleStore<object>({ bytesMax, onLeave: () => {} });
  const value = {};
  return {
    ask(object, bytes) {
      const key = BigInt(object);
      store.asked(key);
      if (store.get(key) !== undefined) return true;
      store.offer(key, value, bytes);
      return false;
    },
  };
};

export const plainLru: Policy = (bytesMax) => {
  const lru = new LRUCache<number, object>({ maxSize: bytesMax });
  const value = {};
  return {
    ask(object, bytes) {
      if (lru.get(object) !== undefined) return true;
      lru.set(object, value, { size: bytes });
      return false;
    },
  };
};

/** Ranks from 0, as often as Zipf's law says. */
function zipf(count: number, skew: number, random: () => number): () => number {
  const upTo = new Float64Array(count);
  let total = 0;
  for (let i = 0; i < count; i += 1) {
    total += 1 / (i + 1) ** skew;
    upTo[i] = total;
  }
  return () => {
    const wanted = random() * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((upTo[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) swap(order, i, Math.floor(random() * (i + 1)));
  return order;
}

/** Half of the most popular tenth change places with any other. */
function shiftHalf(order: Uint32Array, random: () => number): void {
  const popular = Math.floor(order.length / 10);
  for (let i = 0; i < popular; i += 1) {
    if (random() < 0.5) swap(order, i, Math.floor(random() * order.length));
  }
}

function swap(order: Uint32Array, a: number, b: number): void {
  const kept = order[a] as number;
  order[a] = order[b] as number;
  order[b] = kept;
}

/** Marsaglia's xorshift32, 0 to 1. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
