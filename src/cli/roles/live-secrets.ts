/** The secrets that a running role proves. */

/** Keys that name their files. */
const keys = ['rdma.secret_file', 'rdma.second_secret_file'] as const;

export class LiveSecrets {
  #now: readonly string[];

  constructor(secrets: readonly string[]) {
    this.#now = secrets;
  }

  readonly now = (): readonly string[] => this.#now;

  /** Connections that begin from now on are proved by `next`, unless that has to wait for a restart. */
  take(next: readonly string[]): void {
    if (this.keysThatWait(next).length === 0) this.#now = next;
  }

  /** A role with a secret does not become one without while it runs: its connections would lose their cipher. */
  keysThatWait(next: readonly string[]): readonly string[] {
    const isOne = this.#now.length > 0;
    return isOne === next.length > 0 ? [] : keys;
  }
}
