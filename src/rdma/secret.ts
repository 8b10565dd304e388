/** The secret that proxies and targets share, so that each believes the other. */

/**
 * '' and an empty list: nothing. A list has first the one to prove first: two while the secret is being changed. A
 * function gives what is shared now; it must not change between something and nothing.
 */
export type Secret = string | readonly string[] | (() => readonly string[]);

/** At least one; '' is none. One character is one byte. */
export function secretsNow(secret: Secret): readonly [string, ...string[]] {
  const now = typeof secret === 'function' ? secret() : secret;
  const [first = '', ...others] = typeof now === 'string' ? [now] : now;
  return [first, ...others];
}

export function hasSecret(secret: Secret): boolean {
  return secretsNow(secret)[0] !== '';
}
