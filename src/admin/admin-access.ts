/** Rules of access to the admin listener: pure functions, and the hooks that apply them. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
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
  if (address.startsWith('unix:')) return true;
  const host = hostOf(address);
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Could this Host header be the page's of another site, whose name was made to point here (DNS rebinding)? Addresses and
 * `localhost` cannot be made to.
 */
export function isForeignName(host: string | undefined): boolean {
  if (host === undefined || host === '') return false;
  const name = hostOf(host).toLowerCase();
  return isIP(name) === 0 && name !== 'localhost' && !name.endsWith('.localhost');
}

/** A browser names the page that asks; other programs name none. */
export function isForeignOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host?.toLowerCase();
}

/**
 * Tells from Sec-Fetch-Site whether another site's page asks: browsers ask for pictures and scripts without an Origin.
 */
export function isForeignFetch(site: string | string[] | undefined): boolean {
  return site !== undefined && site !== 'same-origin' && site !== 'none';
}

function hostOf(address: string): string {
  return address.replace(/:\d*$/, '').replace(/^\[|\]$/g, '');
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
    if (isForeignFetch(request.headers['sec-fetch-site'])) {
      return json(reply, 403, {
        error: "refused for other sites' pages: only this listener's own pages may ask",
      });
    }
    const isOpen = token() === undefined && !address().startsWith('unix:');
    if (!isOpen || !isForeignName(request.headers.host)) return page(request, reply);
    const { host } = request.headers;
    return json(reply, 403, {
      error: `no admin.token_file is set, so the Host "${host}" is not accepted here: use an IP address or localhost, or set admin.token_file`,
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
