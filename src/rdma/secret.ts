/** The secret that proxies and targets share, so that each believes the other. */

/**
 * '': nothing. A function gives what is shared now, first the one to prove first: two while the secret is being changed,
 * none for nothing. It must not change between something and nothing.
 */
export type Secret = string | (() => readonly string[]);

/** At least one; '' is none. One character is one byte. */
export function secretsNow(secret: Secret): readonly [string, ...string[]] {
  const [first = '', ...others] = typeof secret === 'string' ? [secret] : secret();
  return [first, ...others];
}

export function hasSecret(secret: Secret): boolean {
  return secretsNow(secret)[0] !== '';
}
