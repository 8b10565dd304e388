/** The resources of the proxy's half of the fabric: memory, and the devices of the routes to its targets. */

import type { Logger } from 'pino';
import { ConnectionWatch } from '../rdma/connection-watch.ts';
import type { NeedleFetcher } from '../rdma/needle-fetcher.ts';
import { railRules } from '../rdma/rails/rail.ts';
import type { RdmaClient, RdmaClientOptions } from '../rdma/rdma-client.ts';
import { logAddressFaults, sourceFaults } from '../rdma/ucx-addresses.ts';
import {
  devicesToReach,
  logTransport,
  refuseExposed,
  resolveTransport,
  type UcxReach,
} from '../rdma/ucx-devices.ts';
import { confirmEveryMs } from './inproc-confirmation.ts';
import type { ProxyOptions } from './proxy-options.ts';

/**
 * How long a turn of the event loop waits for an answer to what it posted before it sleeps: about as long as a target on
 * the same machine takes (docs/measurements/hot-path.md).
 */
const spinUs = 30;

/** undefined: UCX is not used. */
export async function fabricDevices(
  { rdma, volumeServers }: ProxyOptions,
  logger: Logger,
): Promise<UcxReach | undefined> {
  const { mode, transport: choice } = rdma;
  if (mode === 'off' || choice === 'inproc' || choice === 'tcp') return undefined;
  const hosts = volumeServers.flatMap(({ target }) =>
    target === undefined ? [] : [targetPlace(target).host],
  );
  const devices = await devicesToReach(rdma, hosts);
  const transport = resolveTransport(choice, devices, rdma.isNetworkTrusted);
  logTransport(logger, transport);
  if (transport === 'tcp') return undefined;
  refuseExposed(devices, rdma.isNetworkTrusted);
  logAddressFaults(logger, await sourceFaults(rdma, hosts));
  return devices;
}

/** `target` is host:port, IPv6 in brackets. */
export function targetPlace(target: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`ucx://${target}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** `addresses`: of one target, the first to be named; host:port each. `isUcx`: else the way is TCP anyway. */
export function fetcherTo(
  client: RdmaClient,
  addresses: readonly string[],
  {
    rails = [],
    railTimeoutMs = railRules.silenceMs,
    fallbackTcp = false,
    connections = 1,
    secret,
    connectTimeoutMs,
  }: ProxyOptions['rdma'],
  isUcx: boolean,
): NeedleFetcher {
  const places = [...new Set(addresses)].map(targetPlace);
  const [first] = places;
  if (first === undefined) throw new RangeError('a target needs an address');
  const address = { ...first, secret, connectTimeoutMs };
  const hasFallback = fallbackTcp && isUcx;
  if (rails.length === 0 && !hasFallback && connections === 1) return client.addTarget(address);
  return client.addRails(address, { places, silenceMs: railTimeoutMs, hasFallback, connections });
}

export function clientOptions(
  { rdma, memory, requestsInFlightMax }: ProxyOptions,
  devices: UcxReach | undefined,
  onRead: NonNullable<RdmaClientOptions['onRead']>,
): RdmaClientOptions {
  const common = {
    arenaBytes: memory.bytes,
    hugepages: memory.hugepages,
    requestsMax: Math.min(requestsInFlightMax, 65_535),
    onRead,
  };
  if (rdma.transport !== 'inproc') {
    const { deviceName, isIpv6 } = devices ?? { deviceName: rdma.deviceName, isIpv6: false };
    return {
      ...common,
      kind: 'ucx',
      deviceName,
      rails: rdma.rails ?? [],
      tls: rdma.tls,
      spinUs,
      isIpv6,
      transport: devices === undefined ? 'tcp' : rdma.transport,
      isTlsOff: rdma.isTlsOff,
      connectionBounds: rdma,
    };
  }
  return {
    ...common,
    kind: 'inproc',
    dirs: rdma.dirs,
    confirmIntervalMs: confirmEveryMs,
    simulatedLatencyUs: rdma.simulatedLatencyMs * 1000,
  };
}

/** undefined: UCX is not used. */
export function watchFabricConnections(
  client: RdmaClient | undefined,
  { rdma, descriptorLimit }: ProxyOptions,
  logger: Logger,
): ConnectionWatch | undefined {
  if (client?.kind !== 'ucx') return undefined;
  return new ConnectionWatch({
    handshakeTimeoutMs: rdma.handshakeTimeoutMs,
    descriptorsMax: descriptorLimit,
    look: () => client.lookAtConnections(),
    onEnded: (ended, waiting) =>
      logger.warn(
        { event: 'connections-ended', ended, waiting },
        "connections to UCX's ports were ended: they did not say in time who they are, or were too many of one address",
      ),
  });
}
