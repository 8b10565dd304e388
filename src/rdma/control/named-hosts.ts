/** Counts the hosts that each address's control connections named. Pure. */

/** @param connections each with the hosts that it named */
export function hostsByAddress(
  connections: Iterable<readonly [peer: { readonly host: string }, hosts: readonly string[]]>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const byAddress = new Map<string, Set<string>>();
  for (const [{ host: address }, hosts] of connections) {
    const named = byAddress.get(address) ?? new Set();
    byAddress.set(address, named);
    for (const each of hosts) named.add(each);
  }
  return byAddress;
}
