/**
 * The target of a bench, in a process of its own, and with it a volume server where none is named. Arguments: directory,
 * UCX_TLS, URL of the volume server.
 */

import { startOrigin } from '../src/origin/origin-server.ts';
import { startTarget } from '../src/target-role/start-target.ts';
import { adminPlace } from '../test/integration/admin-place.ts';

const [dir, tls, upstreamUrl] = process.argv.slice(2);
if (dir === undefined || tls === undefined) throw new TypeError('target-process DIR TLS [URL]');

const logger = { info: () => undefined, warn: () => undefined };
const listen = { host: '127.0.0.1', port: 0 };
const origin =
  upstreamUrl === undefined ? await startOrigin({ dirs: [dir], listen, logger }) : undefined;
const url = upstreamUrl ?? (origin?.url as string);
const target = await startTarget(
  {
    version: 'bench',
    listen,
    deviceName: 'lo',
    isNetworkTrusted: false,
    transport: 'ucx',
    isTlsOff: false,
    tls,
    maxSessions: 64,
    maxRequests: 4096,
    maxRequestsPerSession: 1024,
    bufferWaitMs: 250,
    ioThreads: 2,
    sessionTimeoutMs: 120_000,
    descriptorLimit: 1_024,
    handshakeTimeoutMs: 5_000,
    pendingPerAddressMax: 64,
    bufferBytes: 256 * 1024 * 1024,
    hugepages: 'try',
    secret: '',
    dirs: [dir],
    idxDirs: [],
    volumeServerUrl: url,
    confirmEveryMs: 1_000,
    admin: { ...adminPlace, listen },
  },
  logger,
);
process.send?.({ upstreamUrl: url, target: target.address });
process.once('disconnect', () => void target.close(0).then(() => origin?.close()));
