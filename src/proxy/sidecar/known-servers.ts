/**
 * Which volume servers a client may name. Names are compared as they are written, not by what they resolve to: a
 * look-up would let the owner of a name choose where the proxy sends requests.
 */
import { badParameter, refusal, type SidecarRefusal } from './refusal.ts';

export class KnownServers {
  readonly #origins: ReadonlySet<string>;

  /** URLs of the configuration. */
  constructor(urls: readonly string[]) {
    this.#origins = new Set(urls.map((url) => new URL(url).origin));
  }

  /** undefined: it is one of ours. `text` as clients write it: with or without http://, default port or trailing slash. */
  refusalOf(text: string): SidecarRefusal | undefined {
    const origin = originOf(text);
    if (origin === undefined) {
      return badParameter('volume_server', 'expected http://host:port of a volume server');
    }
    if (this.#origins.has(origin)) return undefined;
    return refusal(
      403,
      'server',
      `parameter "volume_server": ${origin} is no volume server of this proxy's configuration; if it is another name of one, add it to sidecar.volume_server_aliases`,
    );
  }
}

/** Lower case, without the default port. */
function originOf(text: string): string | undefined {
  const withScheme = text.includes('://') ? text : `http://${text}`;
  if (/[^\x21-\x7e]|[?#\\@]/.test(withScheme) || !URL.canParse(withScheme)) return undefined;
  const url = new URL(withScheme);
  return url.protocol === 'http:' && url.pathname === '/' ? url.origin : undefined;
}
