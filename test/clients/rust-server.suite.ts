/** The same clients in front of SeaweedFS's volume server in Rust, where `WEED_VOLUME_RUST` names its program. */
import { describe } from 'vitest';
import { clientsWithoutTokens, clientsWithTokens, readKey } from './client-list.ts';
import { runClients, rustVolumeServer } from './run-clients.ts';

const isThere = rustVolumeServer !== undefined;
const why = isThere ? '' : ' (WEED_VOLUME_RUST names no program)';

describe.skipIf(!isThere)(`clients of the volume server in Rust${why}`, () => {
  runClients('volume server in Rust', { rustVolumeServer }, clientsWithoutTokens);
});

describe.skipIf(!isThere)(`clients that sign their reads, volume server in Rust${why}`, () => {
  const options = { rustVolumeServer, readKey };
  runClients('volume server in Rust, jwt.signing.read', options, clientsWithTokens);
});
