/** GET /benchmark: reads of real needles, one after the other, timed. One benchmark at a time, for ten seconds at most. */
import { type ReadRooms, readOf } from './read-endpoint.ts';
import { parseCount, type SidecarRead } from './read-parameters.ts';
import { refusal, type SidecarRefusal } from './refusal.ts';
import { goDuration, jsonAnswer, refused, type SidecarAnswer } from './sidecar-answer.ts';
import type { SidecarRequest } from './sidecar-request.ts';

export const iterationsMax = 10_000;
const iterationsInitial = 10;
const sizeInitial = 4_096;
const secondsMax = 10;

export class Benchmark {
  readonly #rooms: ReadRooms;
  readonly #readBytesMax: number;
  #isRunning = false;

  constructor(rooms: ReadRooms, readBytesMax: number) {
    this.#rooms = rooms;
    this.#readBytesMax = readBytesMax;
  }

  async answer(request: SidecarRequest): Promise<SidecarAnswer> {
    const { query } = request;
    const iterations = parseCount(query, 'iterations', iterationsInitial, iterationsMax);
    if (typeof iterations !== 'number') return refused(iterations);
    const size = parseCount(query, 'size', sizeInitial, this.#readBytesMax);
    if (typeof size !== 'number') return refused(size);
    const reads = this.#readsOf(query, size);
    if ('kind' in reads) return refused(reads);
    if (this.#isRunning) return refused(refusal(409, 'overload', 'another benchmark is running'));
    this.#isRunning = true;
    try {
      return jsonAnswer(await this.#run(reads, iterations, size, request));
    } finally {
      this.#isRunning = false;
    }
  }

  /** The needle that the request names, else those that were read here lately. */
  #readsOf(query: SidecarRequest['query'], size: number): readonly SidecarRead[] | SidecarRefusal {
    const fid = query.get('fid') ?? query.get('file_id');
    const isNamed = fid !== undefined || query.has('needle');
    const named = fid === undefined ? query : new Map([...query, ['file_id', fid]]);
    const recent = this.#rooms.recent.all.map((each) => new Map([['file_id', each]]));
    const reads: SidecarRead[] = [];
    for (const each of isNamed ? [named] : recent) {
      const read = readOf(this.#rooms, each);
      if ('kind' in read) return read;
      reads.push({ ...read, size, offset: 0 });
    }
    if (reads.length > 0) return reads;
    const text =
      'no needle has been read here yet: name one, as in /benchmark?file_id=3,01637037d6';
    return refusal(409, 'no-needle', text);
  }

  async #run(
    reads: readonly SidecarRead[],
    iterations: number,
    size: number,
    { authorization, signal }: SidecarRequest,
  ): Promise<object> {
    const counts = { cache: 0, rdma: 0, http: 0 };
    const timesMs: number[] = [];
    let totalBytes = 0;
    let failure = '';
    let failed = 0;
    const startedAt = performance.now();
    const endsAt = startedAt + secondsMax * 1_000;
    for (let i = 0; i < iterations && !signal.aborted && performance.now() < endsAt; i += 1) {
      const read = reads[i % reads.length] as SidecarRead;
      const postedAt = performance.now();
      const found = await this.#rooms.source.read(read, authorization, signal);
      if (found.kind === 'refused') {
        failed += 1;
        failure = found.message;
        continue;
      }
      found.release();
      timesMs.push(performance.now() - postedAt);
      counts[found.source] += 1;
      totalBytes += found.bytes;
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    return {
      benchmark_results: {
        iterations,
        size_per_op: size,
        needles: reads.length,
        total_duration: goDuration(seconds * 1_000),
        successful_ops: timesMs.length,
        failed_ops: failed,
        failure,
        cache_ops: counts.cache,
        rdma_ops: counts.rdma,
        http_ops: counts.http,
        ...latencies(timesMs),
        throughput_mbps: (totalBytes / seconds / 2 ** 20).toFixed(2),
        ops_per_sec: (timesMs.length / seconds).toFixed(1),
        total_bytes: totalBytes,
      },
      rdma_enabled: this.#rooms.host.fabric().targets.some(({ state }) => state !== undefined),
      timestamp: new Date().toISOString(),
    };
  }
}

function latencies(timesMs: readonly number[]): object {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    goDuration(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  const sum = sorted.reduce((total, each) => total + each, 0);
  return {
    avg_latency: goDuration(sum / Math.max(1, sorted.length)),
    p50_latency: at(0.5),
    p99_latency: at(0.99),
    max_latency: at(1),
  };
}
