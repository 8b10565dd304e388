/** `[sidecar]` of proxy.toml: its keys, and what cannot go together. */
import { formatHostPort, isLoopback, parseHostPort, parseHttpOrigin } from './address.ts';
import * as field from './field.ts';
import type { Problems } from './settings.ts';

export interface SidecarSettings {
  /** host:port; '': there is no such listener. */
  readonly listen: string;
  /** Origins of http: other names under which clients know the configured volume servers. */
  readonly volumeServerAliases: readonly string[];
  readonly signReads: boolean;
  readonly httpFallback: boolean;
  readonly needleEnds: 'auto' | 'decline' | 'serve';
  readonly httpTimeoutMs: number;
  readonly readBytesMax: number;
  readonly bytesInFlightMax: number;
  readonly requestsInFlightMax: number;
  readonly connectionsMax: number;
  /** 0: all of them. */
  readonly connectionsPerAddressMax: number;
  /** '': no temp files. */
  readonly tempDir: string;
  readonly tempBytesMax: number;
  readonly tempMinBytes: number;
  readonly tempTtlMs: number;
  readonly tempFileMode: '0600' | '0640' | '0644';
}

const count: field.Range = { min: 1, max: 1_000_000 };
const someTime: Partial<field.Range> = { min: 1, max: 3_600_000 };

export const sidecarFields: field.Fields<SidecarSettings> = {
  listen: field.hostPortOrNone('listen'),
  volumeServerAliases: field.stringList('volume_server_aliases', []),
  signReads: field.flag('sign_reads', false),
  httpFallback: field.flag('http_fallback', true),
  needleEnds: field.choice('needle_ends', 'auto', ['auto', 'decline', 'serve']),
  httpTimeoutMs: field.duration('http_timeout', '5s', someTime),
  readBytesMax: field.size('read_bytes_max', '16MiB', { min: 1, max: 2 ** 30 }),
  bytesInFlightMax: field.size('bytes_in_flight', '256MiB', { min: 1 }),
  requestsInFlightMax: field.integer('requests_in_flight', 1024, count),
  connectionsMax: field.integer('connections', 1024, count),
  connectionsPerAddressMax: field.integer('connections_per_address', 0, { ...count, min: 0 }),
  tempDir: field.text('temp_dir', ''),
  tempBytesMax: field.size('temp_bytes_max', '256MiB'),
  tempMinBytes: field.size('temp_min_bytes', '64KiB', { min: 1 }),
  tempTtlMs: field.duration('temp_ttl', '10s', { min: 1_000, max: 3_600_000 }),
  tempFileMode: field.choice('temp_file_mode', '0600', ['0600', '0640', '0644']),
};

export function checkSidecar(
  sidecar: SidecarSettings,
  securityToml: string,
  problems: Problems,
): void {
  sidecar.volumeServerAliases.forEach((alias) => {
    if (parseHttpOrigin(alias) !== undefined) return;
    const wanted = 'expected URLs such as "http://volume-1:8080"';
    problems.add('sidecar.volume_server_aliases', `${wanted}, not ${JSON.stringify(alias)}`);
  });
  if (sidecar.tempDir !== '' && !sidecar.tempDir.startsWith('/')) {
    problems.add('sidecar.temp_dir', 'must be an absolute path: clients open it too');
  }
  if (sidecar.readBytesMax > sidecar.bytesInFlightMax) {
    problems.add('sidecar.read_bytes_max', 'is larger than sidecar.bytes_in_flight');
  }
  const listen = parseHostPort(sidecar.listen);
  if (listen === undefined) return;
  if (sidecar.signReads && securityToml === '') {
    problems.add('sidecar.sign_reads', 'needs seaweedfs.security_toml, whose read key signs');
  }
  if (isLoopback(listen.host)) return;
  if (sidecar.signReads) {
    problems.add(
      'sidecar.sign_reads',
      `would let everybody who reaches ${formatHostPort(listen)} read without a token: listen on loopback`,
    );
  }
  problems.warnings.push(
    `sidecar.listen = "${sidecar.listen}" is reachable from other hosts and does not ask clients who they are`,
  );
}
