/** Up to which size a body is copied: what the rounds of both ways come to. Pure. */
import { median, ratioOf, round } from './rounds.ts';

/** `copied`: head and body in one piece of memory; `whole`: the body from where it lies, as a second piece. */
export type CopyWay = 'copied' | 'whole';

export interface CopyRound {
  /** CPU of the sender for one answer. */
  readonly cpuUs: number;
  readonly answersPerSecond: number;
  /** Share of the time that the sender ran. */
  readonly busy: number;
}

export type CopyVerdict = 'copy' | 'either' | 'two pieces';

export interface CopyCell {
  readonly bytes: number;
  readonly copied: CopyRound;
  readonly whole: CopyRound;
  /** Whole ÷ copied by CPU: the median of the rounds' own, the lowest and the highest. */
  readonly ratio: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
  readonly verdict: CopyVerdict;
}

/** A smaller difference is none. */
const marginShare = 0.02;
/** Share of the rounds; one of five may say otherwise. */
const agreeShare = 0.8;

export function copyCellOf(
  bytes: number,
  rounds: Readonly<Record<CopyWay, readonly CopyRound[]>>,
): CopyCell {
  const us = (way: CopyWay): readonly number[] => rounds[way].map(({ cpuUs }) => cpuUs);
  const copiedUs = us('copied');
  const ratios = us('whole').map((whole, index) => whole / (copiedUs[index] as number));
  const ratio = ratioOf(us('whole'), copiedUs);
  return {
    bytes,
    copied: medianOf(rounds.copied),
    whole: medianOf(rounds.whole),
    ratio: round(ratio, 3),
    ratioMin: round(Math.min(...ratios), 3),
    ratioMax: round(Math.max(...ratios), 3),
    verdict: verdictOf(ratio, ratios),
  };
}

/**
 * The largest size to copy, of those that were measured: from the next one on two pieces are cheaper, clearly at first.
 * A difference within the noise is for the copy, which gives the lease back at once. 0: none is to be copied.
 *
 * @param cells by size, the smallest first
 */
export function copyLimitBytes(cells: readonly CopyCell[]): number {
  const first = cells.findIndex(
    ({ verdict }, index) =>
      verdict === 'two pieces' && cells.slice(index).every(({ ratio }) => ratio < 1),
  );
  const copied = first < 0 ? cells : cells.slice(0, first);
  return copied.at(-1)?.bytes ?? 0;
}

function verdictOf(ratio: number, ratios: readonly number[]): CopyVerdict {
  const below = ratios.filter((each) => each < 1).length;
  if (ratio < 1 - marginShare && below >= ratios.length * agreeShare) return 'two pieces';
  const above = ratios.filter((each) => each > 1).length;
  if (ratio > 1 + marginShare && above >= ratios.length * agreeShare) return 'copy';
  return 'either';
}

function medianOf(rounds: readonly CopyRound[]): CopyRound {
  return {
    cpuUs: round(median(rounds.map(({ cpuUs }) => cpuUs))),
    answersPerSecond: Math.round(median(rounds.map((each) => each.answersPerSecond))),
    busy: round(median(rounds.map(({ busy }) => busy)), 3),
  };
}
