/** The needles of a workload, and which of them is asked for: sizes, names and compression among hot and cold alike. */
import { NeedleHistory } from './history.ts';
import { TrackedNeedle } from './tracked-needle.ts';

export interface NeedleSetOptions {
  readonly volumeIds: readonly number[];
  readonly needlesPerVolume: number;
  readonly mayGoBack: boolean;
}

const zipfExponent = 0.9;
/** The longest that a version of a needle can be, one size for each needle in turn. */
const lengths = [
  4_096, 1, 1_000, 65_536, 24, 16_384, 100, 4_096, 300_000, 8_192, 2_000, 40_000, 1_500_000, 512,
  4_096, 2_097_152,
];
const names = [undefined, 'picture.bin', undefined, 'text.txt'];
const mimes = [undefined, 'image/jpeg', 'text/plain'];

export class NeedleSet {
  readonly all: readonly TrackedNeedle[];
  readonly #byId: ReadonlyMap<string, TrackedNeedle>;
  readonly #weights: readonly number[];

  constructor(options: NeedleSetOptions) {
    const count = options.volumeIds.length * options.needlesPerVolume;
    this.all = Array.from({ length: count }, (_, index) => newNeedle(options, index));
    this.#byId = new Map(this.all.map((each) => [`${each.volumeId}/${each.needleId}`, each]));
    this.#weights = cumulativeZipf(count);
  }

  find(volumeId: number, needleId: bigint): TrackedNeedle | undefined {
    return this.#byId.get(`${volumeId}/${needleId}`);
  }

  /** One of each volume. */
  ofEachVolume(): readonly TrackedNeedle[] {
    return [...new Map(this.all.map((needle) => [needle.volumeId, needle])).values()];
  }

  /** The first ones are the hot ones. `roll`: 0 to 1. */
  any(roll: number): TrackedNeedle {
    let low = 0;
    let high = this.#weights.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#weights[middle] as number) < roll) low = middle + 1;
      else high = middle;
    }
    return this.all[low] as TrackedNeedle;
  }
}

function newNeedle({ volumeIds, mayGoBack }: NeedleSetOptions, index: number): TrackedNeedle {
  const name = names[index % names.length];
  const mime = mimes[index % mimes.length];
  const fields = {
    ...(name === undefined ? {} : { name }),
    ...(mime === undefined ? {} : { mime }),
    compressed: index % 5 === 3,
    lastModifiedSeconds: 1_700_000_000 + index,
  };
  const volumeId = volumeIds[index % volumeIds.length] as number;
  const lengthMax = lengths[index % lengths.length] as number;
  const history = new NeedleHistory({ mayGoBack });
  return new TrackedNeedle(volumeId, BigInt(index + 1), lengthMax, fields, history);
}

/** Up to 1. */
function cumulativeZipf(count: number): readonly number[] {
  const weights = Array.from({ length: count }, (_, index) => 1 / (index + 1) ** zipfExponent);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  let reached = 0;
  return weights.map((weight) => {
    reached += weight / sum;
    return reached;
  });
}

/** Mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}
