/** Rules of access to the admin listener: pure functions, and the hooks that apply them. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hostNameOf, hostOf, isLoopback } from '../http1/host-name.ts';
import { json } from './admin-page.ts';

/** Compares digests: the time it takes tells nothing about the token. */
export function isAuthorized(
  token: string | undefined,
  authorization: string | undefined,
): boolean {
  if (token === undefined) return true;
  const given = /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1] ?? '';
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'latin1').digest();
}

/** Only this machine, or a user who may open the socket's file, can connect. */
export function isPrivate(address: string): boolean {
  return address.startsWith('unix:') || isLoopback(hostOf(address));
}

/** Tests for a Host by which another site's page may ask. Programs may leave it out, browsers do not. */
function isForeignName({ headers, socket }: FastifyRequest): boolean {
  const { host } = headers;
  if (host === undefined || host === '') return false;
  return hostNameOf(host, socket.localAddress) !== 'own';
}

/** A browser names the page that asks; other programs name none. */
export function isForeignOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase();
}

/**
 * Tells whether another site's page asks: browsers ask for pictures and scripts without an Origin. Where they do not
 * trust the address they leave Sec-Fetch-Site out, and Referer is left.
 */
export function isForeignFetch(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site === undefined) return isForeignOrigin(headers.referer, headers.host);
  return site !== 'same-origin' && site !== 'none';
}

type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

export interface AccessHooks {
  /** The status pages: the token, where there is one. */
  readonly page: Hook;
  /** Under /api: as `page`; never for another site's page, and without a token for no name that may be another site's. */
  readonly api: Hook;
  /**
   * Guards routes that read needles or change something, like `api`; without a token from this machine only, and never
   * for another site.
   */
  readonly action: Hook;
}

/** `address`: as bound, known once it is. */
export function accessHooks(token: () => string | undefined, address: () => string): AccessHooks {
  const page: Hook = async (request, reply) => {
    if (isAuthorized(token(), request.headers.authorization)) return undefined;
    reply.header('WWW-Authenticate', 'Bearer');
    return json(reply, 401, { error: 'Authorization: Bearer <token> is required' });
  };
  const api: Hook = async (request, reply) => {
    reply.header('Cross-Origin-Resource-Policy', 'same-origin');
    if (isForeignFetch(request.headers)) {
      return json(reply, 403, {
        error: "refused for other sites' pages: only this listener's own pages may ask",
      });
    }
    const isOpen = token() === undefined && !address().startsWith('unix:');
    if (!isOpen || !isForeignName(request)) return page(request, reply);
    const { host } = request.headers;
    return json(reply, 403, {
      error: `no admin.token_file is set, so the Host "${host}" is not accepted here: use the address of this listener (on loopback: 127.0.0.1, [::1] or localhost), or set admin.token_file`,
    });
  };
  const action: Hook = async (request, reply) => {
    const { origin, host } = request.headers;
    if (isForeignOrigin(origin, host)) {
      return json(reply, 403, {
        error: `refused for pages of ${origin}: only this listener's own pages may ask`,
      });
    }
    if (token() === undefined && !isPrivate(address())) {
      return json(reply, 403, {
        error:
          'set admin.token_file: reading needles and changing things is refused while other machines can reach this listener without a token',
      });
    }
    return api(request, reply);
  };
  return { page, api, action };
}
