/** An admin listener for tests: on loopback, asks for no token, with the limits that the configuration has by default. */
import type { AdminPlace } from '../../src/admin/admin-options.ts';

export const adminPlace: AdminPlace = {
  listen: { host: '127.0.0.1', port: 0 },
  enableCors: false,
  token: () => undefined,
  limits: {
    connectionsMax: 256,
    connectionsPerAddressMax: 64,
    probeConnectionsMax: 16,
    requestsPerConnectionMax: 2,
  },
};
