/** The file ids that were read last: what a benchmark that names none reads. */
export class RecentNeedles {
  /** Newest last. */
  readonly #fids = new Set<string>();

  add(fid: string): void {
    this.#fids.delete(fid);
    this.#fids.add(fid);
    if (this.#fids.size <= recentMax) return;
    for (const oldest of this.#fids) {
      this.#fids.delete(oldest);
      break;
    }
  }

  get all(): readonly string[] {
    return [...this.#fids];
  }
}

const recentMax = 64;
