/** /health, /rdma/capabilities and /rdma/ping: what the proxy can do, and whether it can do it now. */
import { refusal } from './refusal.ts';
import { goDuration, jsonAnswer, refused, type SidecarAnswer } from './sidecar-answer.ts';
import type { FabricView, SidecarHost, SidecarOptions } from './sidecar-options.ts';

/**
 * `weed mount` asks once, at its start, and does without the sidecar for good if this is not healthy. So a target that is
 * still being connected to is healthy: what it does not serve yet, the mount reads over HTTP.
 */
export function answerHealth(fabric: FabricView, isDraining: boolean): SidecarAnswer {
  const up = fabric.targets.filter(({ state }) => state?.kind === 'up');
  const isEnabled = fabric.targets.some(({ state }) => state !== undefined);
  const cause = causeOf(fabric, up.length > 0, isDraining);
  const health = {
    status: cause === '' ? 'healthy' : 'unhealthy',
    detail: cause,
    rdma: {
      enabled: isEnabled,
      connected: up.length > 0,
      mode: fabric.mode,
      error: fabric.fabricFailure ?? '',
      targets: fabric.targets.map(({ address, upstreamUrl, state, volumes, volumesConfirmed }) => ({
        address,
        volume_server: upstreamUrl,
        state: state?.kind ?? 'none',
        transport: state?.kind === 'up' ? state.transport : '',
        volumes,
        volumes_confirmed: volumesConfirmed,
      })),
    },
    rdma_engine_connected: up.length > 0,
    timestamp: new Date().toISOString(),
  };
  return jsonAnswer(health, cause === '' ? 200 : 503);
}

/** Why nothing can be served; '' where something can. */
function causeOf(fabric: FabricView, isConnected: boolean, isDraining: boolean): string {
  if (isDraining) return 'draining';
  if (isConnected) return '';
  if (fabric.mode === 'require') return 'mode = "require" and no target is up';
  const hasServer = fabric.targets.some(({ isUpstreamUp }) => isUpstreamUp);
  return hasServer ? '' : 'no target is up and no volume server answers';
}

/** UCX's names for the transports of RDMA devices. */
const rdmaTransport = /^(rc|dc|ud)(_|$)/;

/** The earlier sidecar's keys. Which device carries a transport, and its GID and LID, UCX does not tell. */
export function answerCapabilities(
  { version, deviceName, hasSecret, limits }: SidecarOptions,
  { mode, targets }: FabricView,
): SidecarAnswer {
  const transports = targets.flatMap(({ state }) => (state?.kind === 'up' ? state.transport : []));
  return jsonAnswer({
    version,
    device_name: deviceName,
    vendor_id: null,
    max_sessions: targets.filter(({ state }) => state !== undefined).length,
    active_sessions: transports.length,
    max_transfer_size: limits.readBytesMax,
    real_rdma: transports.some((transport) => rdmaTransport.test(transport)),
    transports,
    mode,
    port_gid: null,
    port_lid: null,
    supported_auth: [hasSecret ? 'hmac-sha256' : 'none'],
  });
}

export async function answerPing(host: SidecarHost): Promise<SidecarAnswer> {
  const startedAt = performance.now();
  const pings = await host.ping();
  const times = pings.flatMap(({ roundTripUs }) => roundTripUs ?? []);
  if (times.length === 0) {
    const causes = pings.map(({ address, failure }) => `${address}: ${failure}`);
    const text = causes.length === 0 ? 'no target is up' : causes.join('; ');
    return refused(refusal(503, 'target-down', `no target answers: ${text}`));
  }
  return jsonAnswer({
    success: true,
    engine_latency: goDuration(Math.min(...times) / 1_000),
    total_latency: goDuration(performance.now() - startedAt),
    targets: pings.map(({ address, roundTripUs, failure }) => ({
      address,
      latency: roundTripUs === undefined ? '' : goDuration(roundTripUs / 1_000),
      error: failure,
    })),
    timestamp: new Date().toISOString(),
  });
}
