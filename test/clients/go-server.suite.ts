/** Every real client, in front of the volume server of `weed`. */
import { describe } from 'vitest';
import { clientsWithoutTokens, clientsWithTokens, readKey } from './client-list.ts';
import { runClients } from './run-clients.ts';

describe('clients of a volume server', () => {
  runClients('volume server in Go', {}, clientsWithoutTokens);
});

describe('clients that sign their reads', () => {
  runClients('volume server in Go, jwt.signing.read', { readKey }, clientsWithTokens);
});
