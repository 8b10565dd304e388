/** Results of the demo's reads: which server answered, how fast, and every byte that differs from the volume. */
import type { Answer } from './client.ts';

/** Reads that one source answered. */
export interface ServedBy {
  readonly source: string;
  readonly reads: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mbPerSecond: number;
}

export interface Summary {
  readonly served: readonly ServedBy[];
  /** Reads that were passed through, by reason. */
  readonly reasons: Readonly<Record<string, number>>;
}

interface Reads {
  readonly times: number[];
  bytes: number;
}

/** X-Rdma-Source, which the proxy adds with debug_headers = true. */
export function sourceHeader(answer: Answer): string {
  const value = answer.headers['x-rdma-source'] ?? '';
  return Array.isArray(value) ? value.join() : value;
}

function reasonOf(answer: Answer): string {
  return /reason=([a-z-]+)/.exec(sourceHeader(answer))?.[1] ?? 'unnamed';
}

export class Readings {
  readonly #rows = new Map<string, Reads>();
  readonly #reasons = new Map<string, number>();
  readonly differences: string[] = [];

  add(answer: Answer, difference: string | undefined): void {
    const source = sourceHeader(answer).split(';', 1)[0] || 'passthrough';
    let row = this.#rows.get(source);
    if (row === undefined) {
      row = { times: [], bytes: 0 };
      this.#rows.set(source, row);
    }
    row.times.push(answer.ms);
    row.bytes += answer.body.length;
    if (source === 'passthrough') {
      const reason = reasonOf(answer);
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    }
    if (difference !== undefined) this.differences.push(difference);
  }

  /** `seconds`: how long the reads took altogether. */
  summary(seconds: number): Summary {
    const served = ['cache', 'rdma', 'passthrough'].map((source) => {
      const { times, bytes } = this.#rows.get(source) ?? { times: [], bytes: 0 };
      const sorted = times.toSorted((a, b) => a - b);
      const quantile = (share: number): number =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
      return {
        source,
        reads: times.length,
        p50Ms: quantile(0.5),
        p99Ms: quantile(0.99),
        mbPerSecond: bytes / 1e6 / seconds,
      };
    });
    return { served, reasons: Object.fromEntries(this.#reasons) };
  }
}

export function tableOf({ served, reasons }: Summary): string {
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(12) : cell.padStart(9))).join(' ');
  const rows = served.map((row) =>
    line([
      row.source,
      String(row.reads),
      row.p50Ms.toFixed(2),
      row.p99Ms.toFixed(2),
      row.mbPerSecond.toFixed(1),
    ]),
  );
  const why = Object.entries(reasons).map(([reason, count]) => `${reason} ${count}`);
  const tail = why.length === 0 ? [] : [`passed through for: ${why.join(', ')}`];
  return [line(['served by', 'reads', 'p50 ms', 'p99 ms', 'MB/s']), ...rows, ...tail].join('\n');
}
