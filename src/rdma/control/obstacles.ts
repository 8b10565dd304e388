/** Explains why UCX may find no way between a proxy and a target whose control connection stands. */

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
