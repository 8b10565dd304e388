/**
 * The needles that are asked for most. Reading a needle's name takes longer than everything else that is counted: of busy
 * traffic only some requests come here, each for several, and the counts are estimates.
 */

import type { RequestRecord } from '../../needle/outcome.ts';
import { needleIdText, needlePathOf } from '../../needle/request/needle-path.ts';
import type { HotNeedle } from './clients-status.ts';
import { HotRow, HotRows } from './hot-rows.ts';

export const hotNeedlesMax = 512;

class NeedleRow extends HotRow {
  readonly key: string;
  readonly volumeId: number;
  readonly needleId: bigint;

  constructor(key: string, volumeId: number, needleId: bigint) {
    super();
    this.key = key;
    this.volumeId = volumeId;
    this.needleId = needleId;
  }
}

export class HotNeedles {
  readonly #byKey = new Map<string, NeedleRow>();
  readonly #rows = new HotRows<NeedleRow>(hotNeedlesMax, ({ key }) => this.#byKey.delete(key));

  get size(): number {
    return this.#rows.size;
  }

  /** `weight`: how many requests this one stands for. */
  observe(record: RequestRecord, weight: number): void {
    const needle = needlePathOf(record.request.target);
    if (needle === undefined) return;
    const { volumeId, needleId } = needle;
    const key = `${volumeId},${needleIdText(needleId)}`;
    let row = this.#byKey.get(key);
    if (row === undefined) {
      row = this.#rows.admit(new NeedleRow(key, volumeId, needleId));
      this.#byKey.set(key, row);
    }
    row.add(record, weight);
  }

  tick(seconds: number): boolean {
    return this.#rows.tick(seconds);
  }

  busiest(countMax: number): readonly HotNeedle[] {
    return this.#rows.busiest(countMax).map((row) => ({
      volumeId: row.volumeId,
      needleId: row.needleId,
      ...row.counts(),
    }));
  }
}
