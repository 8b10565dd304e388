/** [admin], alike in both roles. */
import { isLoopback, type ListenAddress } from './address.ts';
import { type Fields, flag, integer, listenAddress, text } from './field.ts';
import type { Problems } from './settings.ts';

export interface AdminSettings {
  readonly listen: ListenAddress;
  readonly enableCors: boolean;
  readonly tokenFile: string;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** Beyond `connectionsMax`. */
  readonly probeConnectionsMax: number;
  readonly requestsPerConnectionMax: number;
}

export function adminFields(listen: string): Fields<AdminSettings> {
  return {
    listen: listenAddress('listen', listen),
    enableCors: flag('enable_cors', false),
    tokenFile: text('token_file', ''),
    connectionsMax: integer('connections', 256, { min: 1, max: 100_000 }),
    connectionsPerAddressMax: integer('connections_per_address', 64, { min: 1, max: 100_000 }),
    probeConnectionsMax: integer('probe_connections', 16, { min: 1, max: 100_000 }),
    requestsPerConnectionMax: integer('requests_per_connection', 2, { min: 1, max: 100_000 }),
  };
}

export function checkAdmin(
  { listen, enableCors, tokenFile }: AdminSettings,
  problems: Problems,
): void {
  const isOpen = 'host' in listen && !isLoopback(listen.host);
  if (!isOpen || tokenFile !== '') return;
  if (enableCors) {
    problems.add('admin.enable_cors', 'needs admin.token_file when admin.listen is not loopback');
  }
  problems.warnings.push(
    'admin.listen is reachable from other machines without admin.token_file: everybody may see the status, and the admin API neither reads needles nor changes anything',
  );
}
