/**
 * Prints the suites' output whole and in the order of the suites, though they run at the same time: the first that has not ended prints as it goes,
 * the output of the others is kept until their turn comes.
 */
export interface Section {
  print(text: string): void;
  end(): void;
}

interface Kept {
  text: string;
  hasEnded: boolean;
}

export class OrderedOutput {
  readonly #write: (text: string) => void;
  readonly #waiting: Kept[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  section(title: string): Section {
    const kept: Kept = { text: `\n== ${title}\n`, hasEnded: false };
    this.#waiting.push(kept);
    this.#flush();
    return {
      print: (text) => {
        kept.text += text;
        this.#flush();
      },
      end: () => {
        kept.hasEnded = true;
        this.#flush();
      },
    };
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      this.#write(first.text);
      first.text = '';
      if (!first.hasEnded) return;
      this.#waiting.shift();
    }
  }
}
