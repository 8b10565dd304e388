/**
 * The proxy of a bench, in a process of its own. Argument: its settings as JSON. Says where it listens, then answers
 * questions about itself.
 */

import pino from 'pino';
import type { CachePolicy } from '../src/proxy/cache/cache-policy.ts';
import { startProxy } from '../src/proxy/proxy.ts';
import type { ProxyOptions } from '../src/proxy/proxy-options.ts';
import { adminPlace } from '../test/integration/admin-place.ts';
import { generousLimits } from '../test/integration/http-front-fixture.ts';
import { HeapSampler } from './cache-heap-sampler.ts';
import { WalkedFunctions } from './walked-functions.ts';

export interface ProxySettings {
  readonly upstreamUrl: string;
  /** host:port. */
  readonly target: string;
  /** UCX_TLS. */
  readonly tls: string;
  readonly consistency: CachePolicy['consistency'];
  /** 0: no cache. */
  readonly cacheBytes: number;
  readonly validationsMax: number;
  readonly lane?: boolean;
  /** Absent: 0. */
  readonly lanes?: number;
  /** `off`: everything is passed to the volume server. */
  readonly mode?: 'prefer' | 'off';
  /** SeaweedFS's jwt.signing.read.key; absent: reads need no token. */
  readonly readKey?: string;
  /** Tokens that are remembered. */
  readonly tokensMax?: number;
}

export type ProxyQuestion = 'state' | 'sample' | 'allocated' | 'watch' | 'walked';

const mebibyte = 1024 * 1024;
const timeoutMs = 5_000;

const settings = JSON.parse(process.argv[2] ?? '') as ProxySettings;
const proxy = await startProxy(optionsOf(settings), pino({ level: 'error' }));
/** Connected to V8 only when it is asked for. */
let sampler: HeapSampler | undefined;
const walk = new WalkedFunctions();

process.on('message', (question: ProxyQuestion) => {
  // The asking process may be gone.
  void answer(question).then((value) => process.connected && process.send?.(value));
});
process.once('disconnect', () => void proxy.close(0));
process.send?.({ port: Number(proxy.address.split(':').at(-1)) });

async function answer(question: ProxyQuestion): Promise<object> {
  switch (question) {
    case 'state': {
      const { cache, targets } = proxy.status();
      const isServing =
        settings.mode === 'off' ||
        targets.every(
          ({ volumesConfirmed, auth, server }) =>
            volumesConfirmed > 0 && auth === 'open' && server !== undefined,
        );
      return { isServing, cache };
    }
    case 'sample':
      sampler ??= new HeapSampler();
      await sampler.start();
      return {};
    case 'allocated':
      if (sampler === undefined) throw new Error('asked for before it was sampled');
      return sampler.stop();
    case 'watch':
      await walk.watch();
      return {};
    case 'walked':
      return walk.walked();
  }
}

function optionsOf(asked: ProxySettings): ProxyOptions {
  const {
    consistency,
    cacheBytes,
    validationsMax,
    lane = true,
    lanes = 0,
    mode = 'prefer',
  } = asked;
  const policy: CachePolicy = { consistency, leaseMs: 1_000 };
  return {
    version: 'bench',
    http: {
      listen: { host: '127.0.0.1', port: 0 },
      lane,
      lanes,
      laneAskersMin: 8,
      onCorrupt: 'pass',
      debugHeaders: false,
      limits: generousLimits,
    },
    volumeServers: [{ url: asked.upstreamUrl, target: asked.target }],
    readKey: () => asked.readKey,
    tokensMax: asked.tokensMax ?? 0,
    rdma: {
      mode,
      transport: 'ucx',
      deviceName: 'lo',
      tls: asked.tls,
      isNetworkTrusted: false,
      isTlsOff: false,
      timeoutMs,
      connectTimeoutMs: timeoutMs,
      secret: '',
      dirs: [],
      handshakeTimeoutMs: 5_000,
      pendingPerAddressMax: 64,
      simulatedLatencyMs: 0,
    },
    cache: {
      bytesMax: cacheBytes,
      decodedBytesMax: 0,
      policyOf: () => policy,
      validationsMax,
    },
    memory: { bytes: cacheBytes + 128 * mebibyte, hugepages: 'try' },
    needleBytesMax: 64 * mebibyte,
    decodedBytesMax: 64 * mebibyte,
    decodingBytesMax: 128 * mebibyte,
    requestsInFlightMax: 4096,
    descriptorLimit: 1_024,
    admin: adminPlace,
  };
}
