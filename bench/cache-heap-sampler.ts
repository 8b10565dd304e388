/** Allocations of this process in JavaScript's heap, by site: V8's sampling profiler, garbage that is collected included. */
import { type HeapProfiler, Session } from 'node:inspector/promises';

export interface Allocated {
  /** Estimated from samples. */
  readonly bytes: number;
  /** The largest first; function, file and line. */
  readonly sites: readonly { readonly site: string; readonly bytes: number }[];
  /**
   * ArrayBuffers lie outside of the heap and no profiler counts them: by how much they were seen to grow, in all. A lower
   * bound, since what is freed between two looks is not seen.
   */
  readonly arrayBufferBytes: number;
}

const samplingIntervalBytes = 4096;
const sitesMax = 8;
const lookEveryMs = 5;

export class HeapSampler {
  readonly #session = new Session();
  #look: NodeJS.Timeout | undefined;
  #arrayBuffers = 0;
  #grownBytes = 0;

  constructor() {
    this.#session.connect();
  }

  async start(): Promise<void> {
    this.#grownBytes = 0;
    this.#arrayBuffers = process.memoryUsage().arrayBuffers;
    this.#look = setInterval(() => {
      const { arrayBuffers } = process.memoryUsage();
      this.#grownBytes += Math.max(0, arrayBuffers - this.#arrayBuffers);
      this.#arrayBuffers = arrayBuffers;
    }, lookEveryMs);
    await this.#session.post('HeapProfiler.startSampling', {
      samplingInterval: samplingIntervalBytes,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
  }

  async stop(): Promise<Allocated> {
    const { profile } = await this.#session.post('HeapProfiler.stopSampling');
    clearInterval(this.#look);
    const bytesBySite = new Map<string, number>();
    addSites(profile.head, bytesBySite);
    const sites = [...bytesBySite]
      .map(([site, bytes]) => ({ site, bytes }))
      .sort((a, b) => b.bytes - a.bytes);
    return {
      bytes: sites.reduce((sum, { bytes }) => sum + bytes, 0),
      sites: sites.slice(0, sitesMax),
      arrayBufferBytes: this.#grownBytes,
    };
  }
}

function addSites(
  { callFrame, selfSize, children }: HeapProfiler.SamplingHeapProfileNode,
  bytesBySite: Map<string, number>,
): void {
  const { functionName, url, lineNumber } = callFrame;
  const file = url.split('/').slice(-2).join('/');
  const site = `${functionName || '(anonymous)'} ${file}:${lineNumber + 1}`;
  if (selfSize > 0) bytesBySite.set(site, (bytesBySite.get(site) ?? 0) + selfSize);
  for (const child of children) addSites(child, bytesBySite);
}
