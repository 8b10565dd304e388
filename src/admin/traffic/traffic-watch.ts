/** Single requests and their clients for the admin listener, beside the exact totals. */
import type { RequestObserver } from '../../needle/outcome.ts';
import { FallbackRing } from './fallback-ring.ts';
import { RequestRing } from './request-ring.ts';
import { RequestTail } from './request-tail.ts';
import { TrafficTables } from './traffic-tables.ts';

export class TrafficWatch {
  readonly fallbacks: FallbackRing = new FallbackRing();
  readonly tables: TrafficTables = new TrafficTables();
  readonly ring: RequestRing = new RequestRing();
  readonly tail: RequestTail = new RequestTail();

  /** Called for every finished request. */
  readonly observe: RequestObserver = (record) => {
    const weight = this.tables.sampler.take();
    const client = this.tables.observe(record, weight);
    // Only some requests of busy fast-path traffic are kept: all of them would push each other out in a moment.
    const isOrdinary = record.reason === '';
    if (!isOrdinary) this.fallbacks.observe(record);
    const isFollowed = this.tail.followers.size > 0;
    if (isOrdinary && weight === 0 && !isFollowed) return;
    this.ring.keep(record, client);
    if (isFollowed) this.tail.offer(this.ring.newest);
  };

  close(): void {
    this.tables.close();
    this.tail.close('the proxy has ended');
  }
}
