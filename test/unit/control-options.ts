/** A control listener as the tests open it. */
import type { ControlOptions } from '../../src/rdma/control/control-listener.ts';

export const controlOptions: ControlOptions = {
  host: '127.0.0.1',
  port: 0,
  secret: 'sesame',
  transports: 'tcp',
  handshakeTimeoutMs: 5_000,
  pendingPerAddressMax: 64,
  admittedMax: 8,
  freeDescriptors: () => 10_000,
  devices: 'lo',
  streams: 'tls',
};
