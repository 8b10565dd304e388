/** A rail's fetcher whose session, answers and pings a test gives by hand. */
import type { PingResult, TargetState } from '../../src/rdma/needle-fetcher.ts';
import { ManualFetcher } from './manual-fetcher.ts';

const pong: PingResult = {
  kind: 'pong',
  roundTripUs: 20,
  requestsInFlight: 0,
  sessions: 2,
  arenaBytes: 0,
  arenaBytesUsed: 0,
};

export class ManualRail extends ManualFetcher {
  /** False: pings run into their time. */
  answersPings = true;
  pings = 0;
  #sessions = 0n;
  readonly #ordinal: bigint;

  constructor(ordinal: number, isUp = true) {
    super();
    this.#ordinal = BigInt(ordinal) << 32n;
    this.state = { kind: 'connecting' };
    if (isUp) this.up();
  }

  up(): void {
    this.#sessions += 1n;
    const sessionId = this.#ordinal + this.#sessions;
    this.#change({ kind: 'up', transport: 'manual', sessionId });
  }

  down(): void {
    this.#change({ kind: 'down', status: 'peer_lost', detail: 'cut' });
  }

  /** Ends every read under way as a lost session does, and then the session. */
  lose(): void {
    for (const read of this.reads) read.answer({ kind: 'failed', status: 'peer_lost' });
    this.down();
  }

  override ping(timeoutMs = 0): Promise<PingResult> {
    this.pings += 1;
    if (this.answersPings) return Promise.resolve(pong);
    return new Promise((resolve) => {
      setTimeout(() => resolve({ kind: 'failed', status: 'deadline' }), timeoutMs);
    });
  }

  #change(state: TargetState): void {
    this.state = state;
    this.changed();
  }
}
