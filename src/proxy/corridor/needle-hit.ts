/** The answer to a hit whose head an earlier answer left: the way of most reads. */

import type { Answer, FlatAnswer } from '../../needle/answer/answer.ts';
import { contentType } from '../../needle/answer/answer-headers.ts';
import type { HostFacts } from '../../needle/answer/answer-plan.ts';
import { type PreparedAnswer, variantOf } from '../../needle/answer/prepared-answer.ts';
import { canAnswerAsRust } from '../../needle/answer/rust-answer.ts';
import type { ReadRequest } from '../../needle/request/read-request.ts';
import type { CachedNeedle } from '../cache/cached-volume.ts';
import type { DecodedForm } from '../cache/decoded-form.ts';
import type { Reading } from './reading.ts';

/** Returns the answer built for this variant before; undefined: none, or a fact that it rests on has changed. */
export function preparedHit(
  { cache, entry, read }: Reading,
  needle: CachedNeedle,
): NeedleHit | undefined {
  const variant = variantOf(read);
  const prepared = variant === undefined ? undefined : needle.preparedFor(variant);
  if (prepared === undefined || !isCurrent(prepared, entry.facts, read, needle)) return undefined;
  if (prepared.body !== 'decoded') return new NeedleHit(prepared, needle, undefined, read.close);
  const decoded = cache.decodedForm(needle);
  return decoded && new NeedleHit(prepared, needle, decoded, read.close);
}

function isCurrent(
  { server, kind, hostType }: PreparedAnswer,
  facts: HostFacts,
  read: ReadRequest,
  needle: CachedNeedle,
): boolean {
  if (facts.server !== server || facts.kind !== kind) return false;
  if (kind === 'rust' && !canAnswerAsRust(read, needle)) return false;
  return hostType === undefined || contentType(read, needle, facts) === hostType;
}

const noBytes: readonly Buffer[] = [];

/**
 * A cached needle whose answer was prepared: head and bytes stay where they are until they are copied into the memory that
 * leaves, or, where they are many, until they leave from the arena.
 */
export class NeedleHit implements Answer, FlatAnswer {
  readonly kind = 'answer';
  readonly source = 'cache';
  readonly transport = 'none';
  readonly cacheStatus = 'hit';
  readonly close: boolean;
  readonly bodyBytes: number;
  readonly #prepared: PreparedAnswer;
  readonly #needle: CachedNeedle;
  /** In place of the stored bytes. */
  readonly #decoded: DecodedForm | undefined;
  #isHeld: boolean;
  #lent: ReturnType<CachedNeedle['lend']> | undefined;

  /** `needle` is live; `decoded`: its decoded form, where that is what was prepared. */
  constructor(
    prepared: PreparedAnswer,
    needle: CachedNeedle,
    decoded: DecodedForm | undefined,
    close: boolean,
  ) {
    this.close = close;
    this.#prepared = prepared;
    this.#needle = needle;
    this.#decoded = decoded;
    this.#isHeld = prepared.body === 'stored';
    if (this.#isHeld) needle.hold();
    decoded?.hold();
    this.bodyBytes = prepared.body === 'none' ? 0 : this.totalBytes;
  }

  get totalBytes(): number {
    return this.#decoded === undefined ? this.#needle.dataBytes : this.#decoded.bytes.length;
  }

  get sessionId(): bigint {
    return 0n;
  }

  get answer(): Answer {
    return this;
  }

  get flat(): FlatAnswer {
    return this;
  }

  get status(): Answer['status'] {
    return this.#prepared.status;
  }

  get head(): string {
    return this.#prepared.head;
  }

  get body(): readonly Buffer[] {
    if (this.#prepared.body === 'none') return noBytes;
    if (this.#decoded !== undefined) return [this.#decoded.bytes];
    this.#lent ??= this.#needle.lend();
    return [this.#lent.view];
  }

  get headBytes(): number {
    return this.#prepared.headBytes;
  }

  copyHeadTo(target: Buffer): void {
    this.#prepared.writeHead(target);
  }

  copyTo(target: Buffer): void {
    this.#prepared.writeHead(target);
    const at = this.headBytes;
    if (this.#decoded !== undefined) this.#decoded.bytes.copy(target, at);
    else if (this.#isHeld) this.#needle.copyTo(target, at);
  }

  release(): void {
    this.#lent?.lease.release();
    this.#decoded?.endHold();
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#needle.endHold();
  }
}
