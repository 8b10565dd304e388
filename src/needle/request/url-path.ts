/**
 * A request target's path as the volume server's handler gets it: percent-decoded bytes, unless Go's ServeMux would
 * redirect to a cleaned path first (specification sections 3 and 12). Go: net/url setPath, EscapedPath; ServeMux cleanPath.
 */

export interface SplitTarget {
  readonly rawPath: string;
  /** Without its question mark; '' if there is none. */
  readonly rawQuery: string;
}

export function splitTarget(target: string): SplitTarget {
  const mark = target.indexOf('?');
  if (mark < 0) return { rawPath: target, rawQuery: '' };
  return { rawPath: target.slice(0, mark), rawQuery: target.slice(mark + 1) };
}

/** The path that most clients send: it needs no decoding, and a comma path of one segment needs no cleaning. */
const plainPath = /^\/[0-9A-Za-z,_]+$/;
/** Go refuses control bytes; a blank cannot come out of a request line. */
const refusedByte = /[^\x21-\x7e\x80-\xff]/;
/** Bytes that leave an escaped path as the client spelled it (net/url validEncoded). */
const validEncoded = /^[0-9A-Za-z\-_.~!$&'()*+,;=:@[\]/%]*$/;
const uncleanPart = /\/(?:\/|\.\.?(?:\/|$))/;

/** The decoded path, latin1; undefined: absolute form, refused bytes, bad escapes, or a path that is redirected. */
export function handlerPath(rawPath: string): string | undefined {
  if (plainPath.test(rawPath)) return rawPath;
  if (!rawPath.startsWith('/') || refusedByte.test(rawPath)) return undefined;
  if (uncleanPart.test(rawPath)) return undefined;
  const path = percentDecode(rawPath);
  if (path === undefined) return undefined;
  // The mux then looks at the decoded path, escaped anew: dots and slashes come out bare.
  if (!validEncoded.test(rawPath) && uncleanPart.test(path)) return undefined;
  return path;
}

const badEscape = /%(?![0-9A-Fa-f]{2})/;

/** Bytes for escapes; undefined on a bad one. A plus stays. */
export function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  if (badEscape.test(text)) return undefined;
  return text.replace(/%(..)/gs, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
