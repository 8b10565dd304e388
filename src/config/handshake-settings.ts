/** Settings of [rdma], alike in both roles: bounds of connections whose peer has not said who it is. */
import { duration, type Fields, integer } from './field.ts';

export interface HandshakeSettings {
  readonly handshakeTimeoutMs: number;
  readonly pendingPerAddressMax: number;
}

export const handshakeFields: Fields<HandshakeSettings> = {
  handshakeTimeoutMs: duration('handshake_timeout', '5s', { min: 100, max: 3_600_000 }),
  pendingPerAddressMax: integer('max_pending_per_address', 64, { min: 1, max: 1_000_000 }),
};
