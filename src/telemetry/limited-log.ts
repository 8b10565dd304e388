/** The log for lines that may come with each request or connection: so many a minute of each event, and no more. */
import { LineBudget } from './line-budget.ts';

/** A log with pino's arguments: the fields, then the message. */
export interface LineSink {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface EventFields {
  readonly event: string;
  readonly [field: string]: unknown;
}

export class LimitedLog {
  readonly #sink: LineSink;
  readonly #budgets = new Map<string, LineBudget>();
  #linesPerMinute: number;

  constructor(sink: LineSink, linesPerMinute: number) {
    this.#sink = sink;
    this.#linesPerMinute = linesPerMinute;
  }

  set linesPerMinute(lines: number) {
    this.#linesPerMinute = lines;
    for (const budget of this.#budgets.values()) budget.linesPerMinute = lines;
  }

  /** Lines held back since the start. */
  get suppressedLines(): number {
    let lines = 0;
    for (const budget of this.#budgets.values()) lines += budget.heldBackTotal;
    return lines;
  }

  /** False: a line of this event would be one too many now; it is counted. Ask before its fields are made. */
  mayWrite(event: string): boolean {
    let budget = this.#budgets.get(event);
    if (budget === undefined) {
      budget = new LineBudget({
        linesPerMinute: this.#linesPerMinute,
        onHeldBack: (suppressed) => this.#tellHeldBack(event, suppressed),
      });
      this.#budgets.set(event, budget);
    }
    return budget.take();
  }

  error(fields: EventFields, message: string): void {
    if (this.mayWrite(fields.event)) this.#sink.error(fields, message);
  }

  warn(fields: EventFields, message: string): void {
    if (this.mayWrite(fields.event)) this.#sink.warn(fields, message);
  }

  /** Tells what was held back and not told yet. */
  close(): void {
    for (const budget of this.#budgets.values()) budget.close();
  }

  #tellHeldBack(of: string, suppressed: number): void {
    const fields = { event: 'suppressed', of, suppressed };
    this.#sink.warn(fields, `${suppressed} more lines with event "${of}" were held back`);
  }
}
