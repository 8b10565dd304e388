/** `[sidecar]` of the configuration → what the proxy's listener for `weed mount` takes; undefined: there is none. */

import type { HostPort } from '../../config/address.ts';
import { isLoopback, parseHostPort } from '../../config/address.ts';
import type { ProxyConfig } from '../../config/proxy-config.ts';
import type { ProxyOptions } from '../../proxy/proxy-options.ts';

export function sidecarOptions({ sidecar, limits }: ProxyConfig): ProxyOptions['sidecar'] {
  if (sidecar.listen === '') return undefined;
  const listen = parseHostPort(sidecar.listen) as HostPort;
  return {
    listen,
    isOnLoopback: isLoopback(listen.host),
    volumeServerAliases: sidecar.volumeServerAliases,
    signsReads: sidecar.signReads,
    httpFallback: sidecar.httpFallback,
    needleEnds: sidecar.needleEnds,
    limits: {
      readBytesMax: sidecar.readBytesMax,
      bytesInFlightMax: sidecar.bytesInFlightMax,
      requestsInFlightMax: sidecar.requestsInFlightMax,
      connectionsMax: sidecar.connectionsMax,
      connectionsPerAddressMax: sidecar.connectionsPerAddressMax || sidecar.connectionsMax,
      headTimeoutMs: limits.headTimeoutMs,
      idleTimeoutMs: limits.idleTimeoutMs,
      httpTimeoutMs: sidecar.httpTimeoutMs,
    },
    temp:
      sidecar.tempDir === ''
        ? undefined
        : {
            dir: sidecar.tempDir,
            bytesMax: sidecar.tempBytesMax,
            minBytes: sidecar.tempMinBytes,
            ttlMs: sidecar.tempTtlMs,
            fileMode: Number.parseInt(sidecar.tempFileMode, 8),
          },
  };
}
