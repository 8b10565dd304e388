/** How many bytes there are of decoded forms that are being made or sent: they lie on the heap, outside of every other bound. */
export class DecodingRoom {
  readonly bytesMax: number;
  /** Bytes of decodes under way; looked at for each request. */
  claimedBytes = 0;
  /** Bytes of forms that are held. */
  #heldBytes = 0;
  #refusals = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.claimedBytes + this.#heldBytes;
  }

  /** Decodes that were not begun. */
  get refusals(): number {
    return this.#refusals;
  }

  /** False: there is no room. Before a decode begins, for as much as it may take. */
  claim(bytes: number): boolean {
    if (this.bytes + bytes > this.bytesMax) {
      this.#refusals += 1;
      return false;
    }
    this.claimedBytes += bytes;
    return true;
  }

  endClaim(bytes: number): void {
    this.claimedBytes -= bytes;
  }

  /** Counts a form that exists in any case. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
  }

  endHold(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
