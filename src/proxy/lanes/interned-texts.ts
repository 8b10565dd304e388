/** Small numbers for texts that the native part counts under. A text is known for as long as it is used, and until it was counted. */

export class InternedTexts {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];
  readonly #uses: number[] = [];
  readonly #free: number[] = [];
  /** Not used any more; counts of theirs may be on their way. */
  readonly #unused = new Set<number>();

  get size(): number {
    return this.#ids.size;
  }

  /** Returns the text's number; each call is a use. */
  use(text: string): number {
    const known = this.#ids.get(text);
    const id = known ?? this.#admit(text);
    this.#uses[id] = (this.#uses[id] as number) + 1;
    this.#unused.delete(id);
    return id;
  }

  /** One use less. */
  release(id: number): void {
    const left = (this.#uses[id] as number) - 1;
    this.#uses[id] = left;
    if (left === 0) this.#unused.add(id);
  }

  /** '' for a number that is no text's. */
  textOf(id: number): string {
    return this.#texts[id] ?? '';
  }

  /** Everything that was counted is taken: forgets what is not used. */
  forgetUnused(): void {
    for (const id of this.#unused) {
      this.#ids.delete(this.#texts[id] as string);
      this.#texts[id] = '';
      this.#free.push(id);
    }
    this.#unused.clear();
  }

  #admit(text: string): number {
    const id = this.#free.pop() ?? this.#texts.length;
    this.#texts[id] = text;
    this.#uses[id] = 0;
    this.#ids.set(text, id);
    return id;
  }
}
