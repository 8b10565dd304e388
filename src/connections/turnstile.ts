/**
 * Lets one request through in each turn of the event loop. Thousands that come in one packet then take as long as they did, but what comes
 * meanwhile on other sockets of the process, a kubelet's probe or a read, is served between them.
 */
export class Turnstile {
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;

  /** Resolves in the caller's turn; undefined where the caller need not wait. */
  pass(): Promise<void> | undefined {
    if (this.#isTaken) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
    setImmediate(this.#open);
    return undefined;
  }

  readonly #open = (): void => {
    const next = this.#waiting.shift();
    this.#isTaken = next !== undefined;
    if (next === undefined) return;
    setImmediate(this.#open);
    next();
  };
}
