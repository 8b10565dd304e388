/** A volume whose answers are published: what lanes may do with them. */
import type { Freshness } from '../../needle/needle-outcome.ts';
import type { NativeLanes } from '../../rdma/native-lane-types.ts';

export interface LaneVolumeFacts {
  readonly id: number;
  readonly volumeId: number;
  /** Whose state it follows. */
  readonly owner: object;
  readonly freshness: Freshness;
  /** Called when it is forgotten. */
  readonly onForget: () => void;
}

export class LaneVolume {
  readonly id: number;
  readonly volumeId: number;
  readonly owner: object;
  readonly freshness: Freshness;
  /** Which server's answers are published: its `Server` value, and its kind. */
  server = '';
  readonly #native: NativeLanes;
  readonly #onForget: () => void;

  constructor(native: NativeLanes, facts: LaneVolumeFacts) {
    this.#native = native;
    this.#onForget = facts.onForget;
    this.id = facts.id;
    this.volumeId = facts.volumeId;
    this.owner = facts.owner;
    this.freshness = facts.freshness;
    native.addVolume(this.id);
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
    this.#onForget();
  }
}
