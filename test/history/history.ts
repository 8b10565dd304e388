/**
 * What reads of one needle may show, given when its changes were begun and acknowledged: a register with versions, where
 * each operation takes effect at one moment between its begin and its end. Pure; times come from one clock, in
 * milliseconds.
 *
 * Version 0 is the state before the first change. A read that began at B and ended at E may show any version from the
 * last one acknowledged before B to the last one begun before E, and none older than what another read showed that
 * ended before B. Operations that fail are never acknowledged: they may have happened, now or later.
 */

export type Change = 'write' | 'delete';

/** `versions` are those whose bytes, or whose entity tag, are what was seen: more than one only where they are equal. */
export type Seen =
  | { readonly kind: 'content'; readonly versions: readonly number[] }
  | { readonly kind: 'absent' }
  /** The bytes of no version. */
  | { readonly kind: 'torn'; readonly detail: string };

export interface Read {
  readonly begunAt: number;
  readonly endedAt: number;
  readonly seen: Seen;
}

export type ViolationKind =
  /** A version that had been overwritten or deleted by a change acknowledged before the read began. */
  | 'stale'
  /** Absence, where no delete explains it. */
  | 'lost'
  /** An older version than a read that had ended before this one began. */
  | 'backwards'
  /** A version whose write had not begun when the read ended. */
  | 'never-written'
  | 'torn';

export interface Violation {
  readonly kind: ViolationKind;
  readonly detail: string;
}

interface Moment {
  readonly at: number;
  /** The newest one up to then. */
  readonly version: number;
}

interface Version {
  readonly change: Change;
  readonly begunAt: number;
  acknowledgedAt: number;
}

export class NeedleHistory {
  /** Version n at index n - 1; a new one is begun when the one before it has ended, or will never be acknowledged. */
  readonly #versions: Version[] = [];
  readonly #acknowledged: Moment[] = [];
  readonly #shown: Moment[] = [];

  /** Of the newest change, begun or not acknowledged too; 0: none. */
  get newest(): number {
    return this.#versions.length;
  }

  /** Returns the version that it makes. */
  begin(change: Change, at: number): number {
    this.#versions.push({ change, begunAt: at, acknowledgedAt: Number.POSITIVE_INFINITY });
    return this.#versions.length;
  }

  acknowledge(version: number, at: number): void {
    const entry = this.#versions[version - 1];
    if (entry === undefined) throw new RangeError(`version ${version} was never begun`);
    entry.acknowledgedAt = at;
    grow(this.#acknowledged, at, version);
  }

  /** Reads must be judged in the order of their ends. undefined: it may show that. */
  judge(read: Read): Violation | undefined {
    const { begunAt, endedAt, seen } = read;
    if (seen.kind === 'torn') return { kind: 'torn', detail: seen.detail };
    const oldest = newestBefore(this.#acknowledged, begunAt);
    const newest = this.#newestBegunBefore(endedAt);
    const shown = newestBefore(this.#shown, begunAt);
    const allowed = this.#explanations(seen, oldest, newest);
    const version = allowed.find((each) => each >= shown);
    if (version !== undefined) {
      grow(this.#shown, endedAt, version);
      return undefined;
    }
    if (allowed.length > 0) {
      const detail = `version ${allowed.at(-1)}, after a read that had ended showed ${shown}`;
      return { kind: 'backwards', detail };
    }
    return this.#explain(seen, begunAt, oldest, newest);
  }

  /** Ascending. */
  #explanations(seen: Exclude<Seen, { kind: 'torn' }>, oldest: number, newest: number): number[] {
    if (seen.kind === 'content') {
      return seen.versions
        .filter((version) => version >= oldest && version <= newest)
        .sort((a, b) => a - b);
    }
    const absences: number[] = [];
    for (let version = oldest; version <= newest; version += 1) {
      if (!this.#isContent(version)) absences.push(version);
    }
    return absences;
  }

  #explain(
    seen: Exclude<Seen, { kind: 'torn' }>,
    begunAt: number,
    oldest: number,
    newest: number,
  ): Violation {
    if (seen.kind === 'absent') {
      return { kind: 'lost', detail: `versions ${oldest} to ${newest} all have content` };
    }
    const version = Math.max(0, ...seen.versions.filter((each) => each < oldest));
    if (version === 0) {
      const detail = `version ${seen.versions.join(', ') || '?'}, the newest one begun is ${newest}`;
      return { kind: 'never-written', detail };
    }
    const next = this.#acknowledged.find((moment) => moment.version > version);
    const lateMs = (begunAt - (next?.at ?? begunAt)).toFixed(1);
    const now = `version ${oldest} (${this.#versions[oldest - 1]?.change})`;
    const detail = `version ${version}, though ${now} was acknowledged, the next one ${lateMs} ms before`;
    return { kind: 'stale', detail };
  }

  #isContent(version: number): boolean {
    return this.#versions[version - 1]?.change === 'write';
  }

  #newestBegunBefore(at: number): number {
    let low = 0;
    let high = this.#versions.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#versions[middle - 1] as Version).begunAt <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Keeps `moments` ascending in both: what is older than what is there tells nothing new. */
function grow(moments: Moment[], at: number, version: number): void {
  const last = moments.at(-1);
  if (last === undefined || version > last.version) moments.push({ at, version });
}

/** Of what ended strictly before: at the same moment, the two may have been at it together. */
function newestBefore(moments: readonly Moment[], at: number): number {
  let low = 0;
  let high = moments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((moments[middle] as Moment).at < at) low = middle + 1;
    else high = middle;
  }
  return moments[low - 1]?.version ?? 0;
}
