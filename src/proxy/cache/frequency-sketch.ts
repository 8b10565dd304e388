/**
 * How often keys were asked for lately, approximately: a count-min sketch with 8-bit counters and conservative update,
 * aged by halving (TinyLFU: Einziger, Friedman, Manes, 2017). It may say too much, never too little since the last halving.
 */
const rows = 4;
const counterMax = 255;
/** Slots of a row for each key: with fewer, keys never seen before look as if they had been. */
const slotsPerKey = 2;
const widthMin = 1 << 16;
const widthMax = 1 << 24;
/** Counts for each key that it has room for until all are halved. */
const sampleFactor = 10;

export class FrequencySketch {
  /** Slot s of row r at 4 s + r. */
  #counters = new Uint8Array(widthMin * rows);
  #mask: number = widthMin - 1;
  #counted = 0;
  readonly #wide = new BigUint64Array(1);
  readonly #halves = new Uint32Array(this.#wide.buffer);
  #first = 0;
  #step = 0;

  /** Keys that it tells apart well; it takes eight bytes for each. At least 32,768. */
  get capacity(): number {
    return (this.#mask + 1) / slotsPerKey;
  }

  /** Doubles its width until it tells `keys` apart; what it knows stays as it is. */
  reserve(keys: number): void {
    while (this.capacity < keys && this.#mask + 1 < widthMax) {
      // Slots are the low bits of a hash: a slot's counts are right in both slots that it splits into.
      const counters = new Uint8Array(this.#counters.length * 2);
      counters.set(this.#counters);
      counters.set(this.#counters, this.#counters.length);
      this.#counters = counters;
      this.#mask = this.#mask * 2 + 1;
    }
  }

  increment(key: bigint): void {
    this.#hash(key);
    const least = this.#least();
    if (least < counterMax) this.#raise(least);
    this.#counted += 1;
    if (this.#counted >= this.capacity * sampleFactor) this.#age();
  }

  /** 0 to 255. */
  frequency(key: bigint): number {
    this.#hash(key);
    return this.#least();
  }

  #least(): number {
    let least = counterMax;
    let slot = this.#first;
    for (let row = 0; row < rows; row += 1) {
      const count = this.#counters[(slot & this.#mask) * rows + row] as number;
      if (count < least) least = count;
      slot = (slot + this.#step) | 0;
    }
    return least;
  }

  /** Conservative update: counters that stand higher already are other keys' doing. */
  #raise(least: number): void {
    let slot = this.#first;
    for (let row = 0; row < rows; row += 1) {
      const index = (slot & this.#mask) * rows + row;
      if (this.#counters[index] === least) this.#counters[index] = least + 1;
      slot = (slot + this.#step) | 0;
    }
  }

  #age(): void {
    const words = new Uint32Array(this.#counters.buffer);
    for (let i = 0; i < words.length; i += 1) {
      words[i] = ((words[i] as number) >>> 1) & 0x7f7f7f7f;
    }
    this.#counted >>>= 1;
  }

  /** The low 64 bits of the key (the needle id, which a cluster gives out once), and what lies above (the volume). */
  #hash(key: bigint): void {
    this.#wide[0] = key;
    const low = this.#halves[0] as number;
    const high = this.#halves[1] as number;
    const above = Number(key >> 64n) | 0;
    const mixed = mix(mix(low ^ 0x9e3779b9) ^ high ^ Math.imul(above, 0x85ebca6b));
    this.#first = mixed;
    this.#step = mix(mixed ^ 0x7feb352d) | 1;
  }
}

/** Chris Wellons' lowbias32: every bit of the input moves half of the output's. */
function mix(value: number): number {
  let x = value ^ (value >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return x ^ (x >>> 16);
}
