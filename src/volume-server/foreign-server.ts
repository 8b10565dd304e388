/**
 * Which other server answers in a volume server's place. Filer, S3 gateway and master answer HTTP too, and to a needle of
 * volume 0 or to GET /status each in a way of its own (recorded from SeaweedFS 4.44). Pure.
 */

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Names the foreign server, as in "this is a filer"; undefined: it may be a volume server. The body's first bytes are
 * enough.
 */
export function foreignServer(headers: Headers, body: string): string | undefined {
  const server = String(headers['server'] ?? '');
  const contentType = String(headers['content-type'] ?? '');
  if (/^SeaweedFS Volume\b/.test(server)) return undefined;
  if (/^SeaweedFS\b/.test(server)) {
    return contentType.startsWith('application/xml') ? 'an S3 gateway' : 'a filer';
  }
  if (server !== '') return undefined;
  if (/^\s*\{\s*"error":\s*"volume id /.test(body)) return 'a master';
  if (body.includes('no such page; there are /livez')) return 'an admin listener of seaweed-rdma';
  return undefined;
}

/** `key` is what names the volume server. */
export function foreignText(foreign: string, key: string): string {
  return `this is ${foreign}, not a volume server: ${foreignFix(key)}`;
}

export function foreignFix(key: string): string {
  return `set ${key} to the volume server's HTTP address (weed volume -ip and -port, 8080 by default)`;
}
