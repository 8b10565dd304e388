// Results of the demo's reads: which server answered, how fast, and every byte that differs from the volume.

/** From X-Rdma-Source, which the proxy adds with debug_headers = true. */
function sourceOf(answer) {
  const value = answer.headers['x-rdma-source'] ?? 'passthrough';
  return value.split(';', 1)[0];
}

function reasonOf(answer) {
  return /reason=([a-z-]+)/.exec(answer.headers['x-rdma-source'] ?? '')?.[1] ?? 'unnamed';
}

export class Readings {
  #rows = new Map();
  #reasons = new Map();
  differences = [];

  add(answer, difference) {
    const source = sourceOf(answer);
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
  summary(seconds) {
    const served = ['cache', 'rdma', 'passthrough'].map((source) => {
      const { times, bytes } = this.#rows.get(source) ?? { times: [], bytes: 0 };
      const sorted = times.toSorted((a, b) => a - b);
      const quantile = (share) =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
      return {
        source,
        reads: times.length,
        p50Ms: quantile(0.5) ?? 0,
        p99Ms: quantile(0.99) ?? 0,
        mbPerSecond: bytes / 1e6 / seconds,
      };
    });
    return { served, reasons: Object.fromEntries(this.#reasons) };
  }
}

export function tableOf({ served, reasons }) {
  const line = (cells) =>
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
