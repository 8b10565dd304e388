/** A volume whose answers are published: what lanes may do with them. */
import type { Publication } from '../../needle/needle-outcome.ts';
import type { NativeLanes } from '../../rdma/native-lane-types.ts';

export class LaneVolume {
  readonly id: number;
  readonly volumeId: number;
  /** Whose state it follows. */
  readonly owner: object;
  /** Which server's answers are published: its `Server` value, and its kind. */
  server = '';
  readonly #native: NativeLanes;

  /** Each answer of it is asked for. */
  readonly isAsked: boolean;

  constructor(
    native: NativeLanes,
    {
      id,
      volumeId,
      owner,
      published,
    }: Pick<LaneVolume, 'id' | 'volumeId' | 'owner'> & {
      readonly published: Publication;
    },
  ) {
    this.#native = native;
    this.id = id;
    this.volumeId = volumeId;
    this.owner = owner;
    this.isAsked = published === 'asked';
    native.addVolume(id);
  }

  /** Answers that were published before are given no more, from this moment on. */
  drop(): void {
    this.#native.dropVolume(this.id);
  }

  /** Lanes ask no question for so long. */
  grant(forMs: number): void {
    this.#native.grant(this.id, forMs);
  }

  endGrant(): void {
    this.#native.grant(this.id, 0);
  }

  /** The owner is gone. */
  forget(): void {
    this.#native.forgetVolume(this.id);
  }
}
