/** The volume server and the target of cache-bench.ts, in a process of their own. Arguments: directory, UCX_TLS. */
import { startOrigin } from '../../src/origin/origin-server.ts';
import { startTarget } from '../../src/target/start-target.ts';

const [dir, tls] = process.argv.slice(2);
if (dir === undefined || tls === undefined) throw new TypeError('cache-servers DIR TLS');

const logger = { info: () => undefined, warn: () => undefined };
const listen = { host: '127.0.0.1', port: 0 };
const origin = await startOrigin({ dirs: [dir], listen, logger });
const target = await startTarget(
  {
    version: 'bench',
    listen,
    deviceName: 'lo',
    tls,
    maxSessions: 64,
    sessionTimeoutMs: 120_000,
    bufferBytes: 256 * 1024 * 1024,
    hugepages: 'try',
    secret: '',
    dirs: [dir],
    idxDirs: [],
    volumeServerUrl: origin.url,
    confirmEveryMs: 1_000,
    admin: { listen, enableCors: false, token: () => undefined },
  },
  logger,
);
process.send?.({ upstreamUrl: origin.url, target: target.address });
process.once('disconnect', () => void target.close(0).then(() => origin.close()));
