/** Ways to cut bytes into packets, and numbers that come again with the same seed. */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { RawClient } from '../integration/http-front-fixture.ts';

/** How a stream of bytes is sent. */
export interface Segmentation {
  readonly name: string;
  send(client: RawClient, bytes: Buffer): Promise<void>;
}

/** mulberry32: small, and the same everywhere. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 to `bound` - 1. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  oneOf<T>(all: readonly T[]): T {
    return all[this.below(all.length)] as T;
  }
}

export const whole: Segmentation = {
  name: 'whole',
  send: async (client, bytes) => client.send(bytes),
};

/** Longer streams come in as many pieces, of more bytes each. */
const packetsMax = 1_200;

export const byteByByte: Segmentation = {
  name: 'byte by byte',
  send: (client, bytes) => {
    const pieceBytes = Math.max(1, Math.ceil(bytes.length / packetsMax));
    const cuts: number[] = [];
    for (let at = pieceBytes; at < bytes.length; at += pieceBytes) cuts.push(at);
    return sendCut(client, bytes, cuts, () => turn());
  },
};

export function atRandom(chance: Chance): Segmentation {
  return {
    name: 'cut at random',
    send: (client, bytes) => {
      const cuts = Array.from({ length: 1 + chance.below(8) }, () => chance.below(bytes.length));
      return sendCut(client, bytes, cuts, () => turn());
    },
  };
}

export function cutAt(at: number): Segmentation {
  return {
    name: `cut at ${at}`,
    send: (client, bytes) => sendCut(client, bytes, [at], () => sleep(1)),
  };
}

/** Two packets with a pause, cut beside a byte on which parsers change their state. */
export function pausing(chance: Chance): Segmentation {
  return {
    name: 'paused',
    send: (client, bytes) => {
      const points: number[] = [];
      for (let at = 1; at < bytes.length; at += 1) {
        const isPoint = '\r\n: \t\0'.includes(String.fromCharCode(bytes[at] as number));
        if (isPoint) points.push(at, at + 1);
      }
      const cut = points.length === 0 ? 1 : chance.oneOf(points);
      return sendCut(client, bytes, [cut], () => sleep(4));
    },
  };
}

async function sendCut(
  client: RawClient,
  bytes: Buffer,
  cuts: readonly number[],
  between: () => Promise<unknown>,
): Promise<void> {
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    if (cut <= from || cut >= bytes.length) continue;
    client.send(bytes.subarray(from, cut));
    from = cut;
    await between();
  }
  client.send(bytes.subarray(from));
}
