import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import type { CachedVolume } from './cached-volume.ts';
import {
  GroupValidation,
  type GroupValidationOptions,
  type ValidationWaiter,
} from './group-validation.ts';

export interface CachedTargetOptions {
  readonly validation: GroupValidationOptions;
  readonly newVolume: (volumeId: number, collection: string) => CachedVolume;
}

/** The cached volumes of one target; follows what it announces and pushes. */
export class CachedTarget {
  readonly #fetcher: NeedleFetcher;
  readonly #options: CachedTargetOptions;
  readonly #volumes = new Map<number, CachedVolume>();
  readonly #validation: GroupValidation;

  constructor(fetcher: NeedleFetcher, options: CachedTargetOptions) {
    this.#fetcher = fetcher;
    this.#options = options;
    this.#validation = new GroupValidation(fetcher, options.validation);
    fetcher.onChange(() => this.#follow());
    fetcher.onVolumeChanged((change) => this.#volumes.get(change.volumeId)?.applyChange(change));
  }

  /** undefined: the target does not announce it. */
  volume(volumeId: number): CachedVolume | undefined {
    const known = this.#volumes.get(volumeId);
    if (known !== undefined) return known;
    const announced = this.#fetcher.volumes.get(volumeId);
    if (announced === undefined) return undefined;
    const volume = this.#options.newVolume(volumeId, announced.collection);
    this.#volumes.set(volumeId, volume);
    return volume;
  }

  known(volumeId: number): CachedVolume | undefined {
    return this.#volumes.get(volumeId);
  }

  get volumes(): Iterable<CachedVolume> {
    return this.#volumes.values();
  }

  /** Validates as `GroupValidation` does. */
  validate(volume: CachedVolume, waiter: ValidationWaiter | undefined): void {
    this.#validation.validate(volume, waiter);
  }

  /** A session that ended pushes nothing any more; a volume that is not announced is not this target's. */
  #follow(): void {
    const { state, volumes } = this.#fetcher;
    const isUp = state.kind === 'up';
    for (const [volumeId, volume] of this.#volumes) {
      if (!isUp) {
        volume.endLease();
        continue;
      }
      // The list comes after the session.
      if (volumes.size === 0) continue;
      if (volumes.get(volumeId)?.collection === volume.collection) continue;
      volume.retire();
      this.#volumes.delete(volumeId);
    }
  }
}
