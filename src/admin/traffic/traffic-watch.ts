/** What the admin listener tells of single requests and of those who send them, beside the exact totals. */
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

  /** Told of every finished request. */
  readonly observe: RequestObserver = (record) => {
    const weight = this.tables.sampler.take();
    const client = this.tables.observe(record, weight);
    // Of busy traffic that is answered here, some requests are kept: all of it would be gone in a moment.
    const isOrdinary = record.reason === '';
    if (!isOrdinary) this.fallbacks.observe(record);
    const { isFollowed } = this.tail;
    if (isOrdinary && weight === 0 && !isFollowed) return;
    this.ring.keep(record, client);
    if (isFollowed) this.tail.offer(this.ring.newest);
  };

  close(): void {
    this.tables.close();
    this.tail.close('the proxy has ended');
  }
}
