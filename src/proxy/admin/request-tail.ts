/**
 * Whoever follows the requests as they end. Nobody: a request costs one comparison. A follower that takes its lines too
 * slowly loses some, is told how many, and never holds up a request.
 */
import type { RequestEntry } from './request-entry.ts';
import type { RequestFilter } from './request-filter.ts';

export const followersMax = 8;
/** Of each follower, what may wait to be sent. */
export const waitingBytesMax: number = 1024 * 1024;
const beatMs = 10_000;
/** A follower that took nothing for so many beats is gone. */
const silentBeatsMax = 6;

/** One line. */
export type TailLine =
  | ({ readonly event: 'request' } & RequestEntry)
  /** Lines that came too fast for this follower, since the last such line. */
  | { readonly event: 'dropped'; readonly lines: number }
  /** So that both ends notice when the other is gone. */
  | { readonly event: 'alive' }
  /** The role is going; nothing follows. */
  | { readonly event: 'end'; readonly detail: string };

/** Where a follower's lines go. */
export interface TailSink {
  readonly writableLength: number;
  write(text: string): void;
  end(text: string): void;
  destroy(): void;
}

export class Follower {
  readonly #sink: TailSink;
  readonly #matches: RequestFilter;
  #dropped = 0;
  #silentBeats = 0;

  constructor(sink: TailSink, matches: RequestFilter) {
    this.#sink = sink;
    this.#matches = matches;
  }

  offer(entry: RequestEntry): void {
    if (!this.#matches(entry)) return;
    if (this.#sink.writableLength > waitingBytesMax) {
      this.#dropped += 1;
      return;
    }
    this.#tellDropped();
    this.#sink.write(lineOf({ event: 'request', ...entry }));
  }

  beat(): void {
    this.#silentBeats = this.#sink.writableLength === 0 ? 0 : this.#silentBeats + 1;
    if (this.#silentBeats > silentBeatsMax) {
      this.#sink.destroy();
    } else if (this.#sink.writableLength <= waitingBytesMax) {
      this.#tellDropped();
      this.#sink.write(lineOf({ event: 'alive' }));
    }
  }

  end(detail: string): void {
    this.#tellDropped();
    this.#sink.end(lineOf({ event: 'end', detail }));
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    this.#sink.write(lineOf({ event: 'dropped', lines: this.#dropped }));
    this.#dropped = 0;
  }
}

function lineOf(line: TailLine): string {
  return `${JSON.stringify(line)}\n`;
}

export class RequestTail {
  readonly #followers = new Set<Follower>();
  #beats: NodeJS.Timeout | undefined;
  #ended = '';

  get isFollowed(): boolean {
    return this.#followers.size > 0;
  }

  get isFull(): boolean {
    return this.#followers.size >= followersMax;
  }

  offer(entry: RequestEntry): void {
    for (const follower of this.#followers) follower.offer(entry);
  }

  /** Returns what ends it when its reader is gone. */
  follow(sink: TailSink, matches: RequestFilter): () => void {
    const follower = new Follower(sink, matches);
    if (this.#ended !== '') {
      follower.end(this.#ended);
      return () => undefined;
    }
    this.#followers.add(follower);
    this.#beats ??= setInterval(() => this.#beat(), beatMs).unref();
    return () => this.#leave(follower);
  }

  /** Ends everybody's. */
  close(detail: string): void {
    this.#ended = detail;
    for (const follower of this.#followers) {
      this.#leave(follower);
      follower.end(detail);
    }
  }

  #beat(): void {
    for (const follower of this.#followers) follower.beat();
  }

  #leave(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.#followers.size > 0) return;
    clearInterval(this.#beats);
    this.#beats = undefined;
  }
}
