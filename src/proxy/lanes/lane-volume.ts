/** A volume whose answers are published: what lanes may do with them. */
import type { NativeLanes } from '../../rdma/native-lane-types.ts';

export class LaneVolume {
  readonly id: number;
  readonly volumeId: number;
  /** Whose state it follows. */
  readonly owner: object;
  /** Which server's answers are published: its `Server` value, and its kind. */
  server = '';
  readonly #native: NativeLanes;

  constructor(native: NativeLanes, id: number, volumeId: number, owner: object) {
    this.#native = native;
    this.id = id;
    this.volumeId = volumeId;
    this.owner = owner;
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
