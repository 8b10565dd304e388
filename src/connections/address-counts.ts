/** How many connections each address has, so that those of one address keep no other address out. */
export class AddressCounts {
  readonly #countOf = new Map<string, number>();

  /** @param address undefined: of a unix socket, which has none and is not counted */
  add(address: string | undefined): void {
    if (address !== undefined) this.#countOf.set(address, this.of(address) + 1);
  }

  remove(address: string | undefined): void {
    if (address === undefined) return;
    const left = this.of(address) - 1;
    if (left === 0) this.#countOf.delete(address);
    else this.#countOf.set(address, left);
  }

  of(address: string | undefined): number {
    return address === undefined ? 0 : (this.#countOf.get(address) ?? 0);
  }

  /** The address with most connections; looks at every address. */
  most(): string | undefined {
    let most: string | undefined;
    for (const address of this.#countOf.keys()) {
      if (this.of(address) > this.of(most)) most = address;
    }
    return most;
  }

  /** True where `address` would still have fewer with one more, and the other one fewer: else the place would go to and fro. */
  mayTake(address: string | undefined, from: string): boolean {
    return this.of(from) > this.of(address) + 1;
  }
}
