/** The targets that a tool asks, connected. */
import type { NeedleFetcher, TargetState } from '../../rdma/needle-fetcher.ts';
import {
  createRdmaClient,
  type RdmaClient,
  type RdmaClientOptions,
  type TargetAddress,
} from '../../rdma/rdma-client.ts';
import { devicesToReach, resolveTransport, type TransportChoice } from '../../rdma/ucx-devices.ts';
import { exitCodes } from '../exit-codes.ts';
import { ToolFailure } from '../tool-failure.ts';

export type FabricOptions =
  | {
      readonly kind: 'ucx';
      /** At least one. */
      readonly targets: readonly TargetAddress[];
      readonly transport: TransportChoice;
      readonly isTlsOff: boolean;
      readonly deviceName: string;
      /** Devices of rails: the first carries the tool's session. */
      readonly rails?: readonly string[];
      readonly tls: string;
      /** The configuration's value; a tool ends soon, so it is not refused. */
      readonly isNetworkTrusted: boolean;
    }
  | { readonly kind: 'inproc'; readonly dirs: readonly string[] };

/** For inproc: until the directories are listed. */
const loadTimeoutMs = 10_000;

export interface Fabric {
  readonly client: RdmaClient;
  /** All of them up. */
  readonly fetchers: readonly [NeedleFetcher, ...NeedleFetcher[]];
  close(): Promise<void>;
}

/** Throws ToolFailure when a target cannot be had: tools try once, roles try for ever. */
export async function openFabric(options: FabricOptions, arenaBytes: number): Promise<Fabric> {
  const client = createRdmaClient(await clientOptions(options, arenaBytes));
  const [first, ...others] =
    options.kind === 'inproc'
      ? [client.inproc()]
      : options.targets.map((target) => client.addTarget(target));
  if (first === undefined) throw new ToolFailure('no target is named', exitCodes.usage);
  const fetchers: Fabric['fetchers'] = [first, ...others];
  try {
    // Connecting has its own deadline in the client; this one is for what it does not see.
    const timeoutMs = connectTimeoutOf(options) + 1000;
    await Promise.all(fetchers.map((fetcher) => upWithin(fetcher, timeoutMs)));
  } catch (error) {
    await client.close();
    throw error;
  }
  return { client, fetchers, close: () => client.close() };
}

async function clientOptions(
  options: FabricOptions,
  arenaBytes: number,
): Promise<RdmaClientOptions> {
  const common = { arenaBytes, hugepages: 'try' } as const;
  if (options.kind === 'inproc') {
    return { ...common, kind: 'inproc', dirs: options.dirs, unconfirmed: true };
  }
  const hosts = options.targets.map(({ host }) => host);
  const { transport, isTlsOff, tls, rails = [] } = options;
  const devices = await devicesToReach(options, hosts);
  if (resolveTransport(transport, devices, options.isNetworkTrusted) === 'tcp') {
    return { ...common, kind: 'ucx', transport: 'tcp', isTlsOff };
  }
  const { deviceName, isIpv6 } = devices;
  return { ...common, kind: 'ucx', transport, isTlsOff, deviceName, rails, tls, isIpv6 };
}

function connectTimeoutOf(options: FabricOptions): number {
  if (options.kind === 'inproc') return loadTimeoutMs;
  return Math.max(...options.targets.map((target) => target.connectTimeoutMs));
}

function upWithin(fetcher: NeedleFetcher, timeoutMs: number): Promise<void> {
  return stateOf(fetcher, timeoutMs, (state) => {
    if (state.kind === 'up') return true;
    if (state.kind === 'connecting') return false;
    const why = state.detail === '' ? state.status : `${state.status}, ${state.detail}`;
    throw new ToolFailure(`target ${fetcher.address}: ${why}`, exitCodes.unavailable);
  });
}

/** The volumes that a target announces right after it is up; an empty list after the time. */
export async function volumesWithin(fetcher: NeedleFetcher, timeoutMs: number): Promise<void> {
  await stateOf(fetcher, timeoutMs, () => fetcher.volumes.size > 0).catch(() => undefined);
}

/** Resolves when `isReached` says so; what it throws, and the time, reject. */
function stateOf(
  fetcher: NeedleFetcher,
  timeoutMs: number,
  isReached: (state: TargetState) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new ToolFailure(
          `target ${fetcher.address}: no answer within ${timeoutMs} ms`,
          exitCodes.unavailable,
        ),
      );
    }, timeoutMs);
    const look = (): void => {
      try {
        if (!isReached(fetcher.state)) return;
        resolve();
      } catch (error) {
        reject(error);
      }
      clearTimeout(timer);
    };
    fetcher.onChange(look);
    look();
  });
}
