/**
 * Followers of the requests as they end. Without a follower a request costs one comparison. A follower that takes its
 * lines too slowly loses some, is told how many, and never holds up a request.
 */

import type { RequestFilter } from '../api/request-filter.ts';
import type { RequestEntry } from './request-entry.ts';

export const followersMax = 8;
/** Bytes that may wait to be sent to each follower. */
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
  /** Lines that leave with the next turn of the event loop. */
  #waiting = '';
  #isEnded = false;
  #dropped = 0;
  #silentBeats = 0;

  constructor(sink: TailSink, matches: RequestFilter) {
    this.#sink = sink;
    this.#matches = matches;
  }

  offer(entry: RequestEntry): void {
    if (!this.#matches(entry)) return;
    if (this.#isFull) this.#dropped += 1;
    else this.#write(requestLine(entry));
  }

  beat(): void {
    this.#silentBeats = this.#sink.writableLength === 0 ? 0 : this.#silentBeats + 1;
    if (this.#silentBeats > silentBeatsMax) {
      this.#sink.destroy();
    } else if (!this.#isFull) {
      this.#write(lineOf({ event: 'alive' }));
    }
  }

  end(detail: string): void {
    this.#add(lineOf({ event: 'end', detail }));
    this.#isEnded = true;
    this.#sink.end(this.#waiting);
  }

  get #isFull(): boolean {
    return this.#sink.writableLength + this.#waiting.length > waitingBytesMax;
  }

  /** Lines of one turn of the event loop leave together. */
  #write(line: string): void {
    if (this.#waiting === '') setImmediate(this.#flush);
    this.#add(line);
  }

  #add(line: string): void {
    if (this.#dropped > 0) this.#waiting += lineOf({ event: 'dropped', lines: this.#dropped });
    this.#dropped = 0;
    this.#waiting += line;
  }

  readonly #flush = (): void => {
    if (this.#isEnded) return;
    this.#sink.write(this.#waiting);
    this.#waiting = '';
  };
}

function lineOf(line: TailLine): string {
  return `${JSON.stringify(line)}\n`;
}

function requestLine(entry: RequestEntry): string {
  return `{"event":"request",${JSON.stringify(entry).slice(1)}\n`;
}

export class RequestTail {
  readonly #followers = new Set<Follower>();
  /** Looked at for each request. */
  readonly followers: ReadonlySet<Follower> = this.#followers;
  /** Called when there is one more or less. */
  onChange: () => void = () => undefined;
  #beats: NodeJS.Timeout | undefined;
  #ended = '';

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
    this.onChange();
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
    this.onChange();
    if (this.#followers.size > 0) return;
    clearInterval(this.#beats);
    this.#beats = undefined;
  }
}
