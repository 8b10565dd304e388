/** The needles that were read last: what a benchmark without a file id reads. */
export class RecentNeedles {
  /** Newest last. */
  readonly #fids = new Map<string, number>();

  add(fid: string, totalBytes: number): void {
    this.#fids.delete(fid);
    this.#fids.set(fid, totalBytes);
    if (this.#fids.size <= recentMax) return;
    for (const oldest of this.#fids.keys()) {
      this.#fids.delete(oldest);
      break;
    }
  }

  get all(): readonly { readonly fid: string; readonly totalBytes: number }[] {
    return [...this.#fids].map(([fid, totalBytes]) => ({ fid, totalBytes }));
  }
}

const recentMax = 64;
