/** The bytes of one read: over the fast path, else from the volume server, unless that must not be. */

import type { Reason } from '../../needle/reasons.ts';
import { findToken } from '../../needle/token/read-token-source.ts';
import { signReadToken } from '../../needle/token/sign-read-token.ts';
import { type FastBytes, FastReads } from './fast-read.ts';
import type { SidecarRead } from './read-parameters.ts';
import { refusal, type SidecarRefusal } from './refusal.ts';
import type { SidecarHost, SidecarOptions } from './sidecar-options.ts';
import { VolumeServers } from './volume-server-read.ts';

export type NeedleBytes = Omit<FastBytes, 'source'> & {
  readonly source: 'cache' | 'rdma' | 'http';
  /** Why it came over HTTP; else ''. */
  readonly reason: string;
};

/** Longer than a read may take. */
const tokenLifeSeconds = 60;

export class NeedleSource {
  readonly #options: SidecarOptions;
  readonly #host: SidecarHost;
  readonly #fast: FastReads;
  readonly #volumeServers: VolumeServers;

  constructor(options: SidecarOptions, host: SidecarHost) {
    const { readBytesMax, httpTimeoutMs } = options.limits;
    this.#options = options;
    this.#host = host;
    this.#fast = new FastReads(host.route, readBytesMax, options.wholeBytesMax);
    this.#volumeServers = new VolumeServers(readBytesMax, httpTimeoutMs);
  }

  /** `authorization`: the client's header. */
  async read(
    read: SidecarRead,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<NeedleBytes | SidecarRefusal> {
    const shown = authorization ?? this.#signed(read.claimedFid);
    const token = findToken({ jwt: '', authorization: shown ?? '', cookieLines: [] });
    const fast = await this.#fast.read(read, token);
    if (fast.kind === 'bytes') return { ...fast, reason: '' };
    if (fast.kind === 'refused') return fast;
    const { reason, upstreamUrl } = fast;
    if (reason === 'auth') return noToken(shown !== undefined);
    if (!this.#options.httpFallback) return withoutFallback(reason);
    const { fid, offset, size } = read;
    const asked = { url: upstreamUrl, fid, offset, size, authorization: shown, signal };
    const answer = await this.#volumeServers.read(asked);
    if (answer.kind === 'refused') return answer;
    const { bytes, totalBytes } = answer;
    return {
      kind: 'bytes',
      source: 'http',
      reason,
      transport: 'none',
      cacheStatus: `fwd=bypass; detail=${reason}`,
      slices: [bytes],
      bytes: bytes.length,
      totalBytes,
      release: () => undefined,
    };
  }

  close(): void {
    this.#volumeServers.close();
  }

  #signed(claimedFid: string): string | undefined {
    const key = this.#options.signsReads ? this.#host.readKey() : undefined;
    if (key === undefined) return undefined;
    const expires = Math.floor(Date.now() / 1000) + tokenLifeSeconds;
    return `Bearer ${signReadToken(key, claimedFid, expires)}`;
  }
}

function noToken(hasToken: boolean): SidecarRefusal {
  const text = hasToken
    ? 'the read token is not valid for this needle'
    : 'the volume servers want read tokens and this request has none: send Authorization: Bearer, or see sidecar.sign_reads';
  return refusal(403, 'auth', text);
}

function withoutFallback(reason: Reason): SidecarRefusal {
  const text = `the fast path does not answer (${reason}) and sidecar.http_fallback = false: read the volume server`;
  return refusal(503, reason, text);
}
