/** Tells once when volumes are left to the volume server for want of descriptors, and once when none is any more. */
import { shortageText, type VolumeShortage } from '../rdma/descriptors.ts';

export interface DescriptorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export class DescriptorWatch {
  readonly #gather: () => VolumeShortage;
  readonly #log: DescriptorLog;
  #isShort = false;

  constructor(gather: () => VolumeShortage, log: DescriptorLog) {
    this.#gather = gather;
    this.#log = log;
  }

  /** undefined: every volume has its descriptors. */
  shortage(): string | undefined {
    const found = this.#gather();
    return found.without === 0 ? undefined : shortageText(found);
  }

  look(): void {
    const found = this.#gather();
    const isShort = found.without > 0;
    if (isShort === this.#isShort) return;
    this.#isShort = isShort;
    const fields = { limit: found.limit, volumes: found.volumes, without: found.without };
    if (isShort) this.#log.warn({ event: 'descriptors-short', ...fields }, shortageText(found));
    else this.#log.info({ event: 'descriptors-enough', ...fields }, 'every volume is open');
  }
}
