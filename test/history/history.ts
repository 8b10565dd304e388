/**
 * What reads of one needle may show, given when its changes were begun and acknowledged: a register with versions, where
 * each operation takes effect at one moment between its begin and its end. Pure; times come from one clock, in
 * milliseconds.
 *
 * Version 0 is the state before the first change. A read that began at B and ended at E may show any version from the
 * last one acknowledged before B to the last one begun before E, and none older than what another read showed that
 * ended before B. Operations that fail are never acknowledged: they may have happened, now or later. A weaker promise
 * names for each change when it must be seen at the latest, and lets reads go back until then.
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
}

export class NeedleHistory {
  /** Version n at index n - 1; a new one is begun when the one before it has ended, or will never be acknowledged. */
  readonly #versions: Version[] = [];
  readonly #mayGoBack: boolean;
  readonly #acknowledged: Moment[] = [];
  readonly #shown: Moment[] = [];

  constructor({ mayGoBack = false }: { readonly mayGoBack?: boolean } = {}) {
    this.#mayGoBack = mayGoBack;
  }

  /** Of the newest change, begun or not acknowledged too; 0: none. */
  get newest(): number {
    return this.#versions.length;
  }

  /** Returns the version that it makes. */
  begin(change: Change, at: number): number {
    this.#versions.push({ change, begunAt: at });
    return this.#versions.length;
  }

  /** `seenFrom`: reads that begin later must show it; Infinity: none ever must. */
  acknowledge(version: number, seenFrom: number): void {
    if (version > this.newest) throw new RangeError(`version ${version} was never begun`);
    if (seenFrom < Number.POSITIVE_INFINITY) grow(this.#acknowledged, seenFrom, version);
  }

  /** Reads must be judged in the order of their ends. undefined: it may show that. */
  judge(read: Read): Violation | undefined {
    const { begunAt, endedAt, seen } = read;
    if (seen.kind === 'torn') return { kind: 'torn', detail: seen.detail };
    const oldest = newestBefore(this.#acknowledged, begunAt);
    const newest = this.#newestBegunBefore(endedAt);
    const shown = this.#mayGoBack ? 0 : newestBefore(this.#shown, begunAt);
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
    const now = `${oldest} (${this.#versions[oldest - 1]?.change})`;
    const detail = `version ${version} instead of ${now} or later, ${lateMs} ms too late`;
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

/** Keeps `moments` ascending in both: what is older, or later, than what is there tells nothing new. */
function grow(moments: Moment[], at: number, version: number): void {
  let end = moments.length;
  while (end > 0 && (moments[end - 1] as Moment).at >= at) end -= 1;
  if ((moments[end - 1]?.version ?? 0) >= version) return;
  let next = end;
  while (next < moments.length && (moments[next] as Moment).version <= version) next += 1;
  moments.splice(end, next - end, { at, version });
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
