/** Explains why UCX may find no way between a proxy and a target whose control connection stands. */
import type { Namespaces } from './namespaces.ts';

/** UCX 1.13 aborts a proxy that keeps to one device where the target does not, and no session comes up the other way round. */
export const railsText: string =
  'over UCX, rdma.device_name is to be a list (rails) on both sides, or on none';

/**
 * A relay, or a NAT on the control connection alone, keeps no session away: so this is said where there is none, and
 * nothing is refused.
 *
 * @param from the address that the target sees of the proxy
 * @param named the addresses from which the proxy says that its UCX comes
 */
export function translationText(from: string, named: readonly string[]): string | undefined {
  if (named.includes(from)) return undefined;
  return `the target sees the proxy come from ${from}, and the proxy's addresses are ${named.join(', ')}: a source NAT or a relay stands between. Over TCP UCX dials the address that it sees, and its ports take packets of the proxy's own addresses alone: exempt the proxy's connections to the target from the NAT`;
}

/** undefined: UCX takes no shared memory between the two, or takes it rightly. */
export function sharedIpcText(own: Namespaces, other: Namespaces): string | undefined {
  if (own.ipc !== other.ipc) return undefined;
  const names = { net: 'network', pid: 'process' } as const;
  const apart = (['net', 'pid'] as const).filter((kind) => own[kind] !== other[kind]);
  if (apart.length === 0) return undefined;
  const which = apart.map((kind) => names[kind]).join(' and ');
  return `proxy and target share an IPC namespace but not the ${which} namespace, where UCX takes shared memory that it cannot use: give each its own IPC namespace and /dev/shm (Kubernetes: no hostIPC), or set rdma.tls = "tcp" on both`;
}
