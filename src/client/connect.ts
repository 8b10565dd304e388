/** `import { connect } from 'seaweed-rdma'`: needles for a program of one's own. */
import { createRdmaClient } from '../rdma/rdma-client.ts';
import { devicesToReach, refuseExposed, resolveTransport } from '../rdma/ucx-devices.ts';
import { type CheckedConnect, type ConnectOptions, checkConnect } from './connect-options.ts';
import { type NeedleClient, RdmaNeedleClient } from './needle-client.ts';

/**
 * Connects to targets (or opens directories), and resolves when the first of them answers; the others are connected in
 * the background, and each again whenever it is lost.
 *
 * @throws TypeError, RangeError for options that are wrong; ConfigError for a `config` file that is.
 * @throws RdmaUnavailableError where UCX, the native part or the memory cannot be had on this machine.
 * @throws TargetsUnreachableError when no target answers within `connectTimeoutMs`.
 * @throws the signal's reason when it is aborted; nothing is left behind.
 */
export async function connect(options: ConnectOptions): Promise<NeedleClient> {
  const checked = checkConnect(options);
  checked.signal?.throwIfAborted();
  const native = await nativeOf(checked);
  checked.signal?.throwIfAborted();
  const client = new RdmaNeedleClient(createRdmaClient(native), checked);
  try {
    await client.firstTarget(checked.signal);
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

/** With the devices of the routes to the targets only. */
async function nativeOf({
  native,
  targets,
  isNetworkTrusted,
}: CheckedConnect): Promise<CheckedConnect['native']> {
  if (native.kind !== 'ucx' || native.transport === 'tcp') return native;
  const { transport = 'auto' } = native;
  const { deviceName = 'auto', tls = 'auto' } = native;
  const hosts = targets.map(({ host }) => host);
  const devices = await devicesToReach({ deviceName, tls, isNetworkTrusted }, hosts);
  if (resolveTransport(transport, devices, isNetworkTrusted) === 'tcp') {
    return { ...native, transport: 'tcp' };
  }
  refuseExposed(devices, isNetworkTrusted, 'ucxTcpTrustedNetwork: true');
  return { ...native, deviceName: devices.deviceName, isIpv6: devices.isIpv6 };
}
