/** What a hostile request is, and the parts that the lists are made of. */

export interface HostileRequest {
  readonly name: string;
  /** latin1. */
  readonly bytes: string;
  /**
   * The front ends the connection where the volume server might go on: on purpose, because it does not read what two
   * parsers could read differently in the middle of a request that it has begun.
   */
  readonly mayEnd: boolean;
  /**
   * What an application of Node's is sent directly instead: its server forgets all that comes behind an offer to switch
   * protocols. A volume server reads on.
   */
  readonly withoutOffer?: string;
}

/** Of the fronts in these tests: longer heads are raw. */
export const headBytesMax = 65_536;
/** The needle that hostile requests name. */
export const victim = '/1,0312345678';
/** A request that nobody sent, where a body or a rest is taken for one. */
export const smuggled = 'GET /1,0412345678?smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

export function hostile(name: string, bytes: string, mayEnd = false): HostileRequest {
  return { name, bytes, mayEnd };
}

/** A head with a Host and these lines. */
export function head(method: string, ...lines: readonly string[]): string {
  return [`${method} ${victim} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n');
}
