// What the page takes from /metrics: the buckets of one histogram, and percentiles of what fell into them meanwhile.
const bucketLine = /^seaweed_rdma_request_duration_seconds_bucket\{([^}]*)\} (\S+)/;

/** Outcome → [bound in seconds, how many up to it], in the order of the bounds. */
export function durationBuckets(text) {
  const byOutcome = {};
  for (const line of text.split('\n')) {
    const found = bucketLine.exec(line);
    if (found === null) continue;
    const labels = Object.fromEntries(
      [...found[1].matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    byOutcome[labels.outcome] ??= [];
    byOutcome[labels.outcome].push([bound, Number(found[2])]);
  }
  return byOutcome;
}

/** What came between two readings; cumulative as they are. */
export function between(before, now) {
  return now.map(([bound, count], index) => [bound, count - (before?.[index]?.[1] ?? 0)]);
}

export function countOf(buckets) {
  return buckets.at(-1)?.[1] ?? 0;
}

/** Linear within its bucket; undefined where nothing came. */
export function percentile(buckets, wanted) {
  const all = countOf(buckets);
  if (all === 0) return undefined;
  const rank = wanted * all;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of buckets) {
    if (count >= rank) {
      if (bound === Number.POSITIVE_INFINITY) return lower;
      const within = count === below ? 1 : (rank - below) / (count - below);
      return lower + (bound - lower) * within;
    }
    lower = bound;
    below = count;
  }
  return lower;
}

/** Of several histograms with the same bounds. */
export function sumOf(histograms) {
  const [first] = histograms;
  if (first === undefined) return [];
  return first.map(([bound], index) => [
    bound,
    histograms.reduce((sum, buckets) => sum + (buckets[index]?.[1] ?? 0), 0),
  ]);
}
