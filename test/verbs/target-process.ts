/** A target in a process of its own, which a test may kill: target-process.ts HOST PORT DIR. Says "ready". */
import { startTargetHost } from '../../src/rdma/target-host.ts';

const [host = '', port = '0', dir = ''] = process.argv.slice(2);
await startTargetHost({
  host,
  port: Number(port),
  secret: 'contract',
  dirs: [dir],
  unconfirmed: true,
  arenaBytes: 64 * 1024 * 1024,
  hugepages: 'try',
  tls: 'rc',
  handshakeTimeoutMs: 60_000,
});
console.log('ready');
