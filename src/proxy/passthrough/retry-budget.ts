/** Lets at most one retry in five requests happen: a volume server that drops connections is not asked twice as much. */
export class RetryBudget {
  #tokens = firstTokens;

  /** One request was sent. */
  earn(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + share);
  }

  /** False: the budget is used up. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

const share = 0.2;
/** So that a restarted volume server costs no request of a quiet proxy. */
const firstTokens = 10;
const tokensMax = 100;
