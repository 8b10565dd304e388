/** The target of fetch-bench.ts, in a process of its own. Arguments: directory, UCX_TLS, spin in microseconds. */
import { startTargetHost } from '../src/rdma/target-host.ts';

const [dir, tls, spinUs] = process.argv.slice(2);
if (dir === undefined || tls === undefined) throw new TypeError('fetch-target DIR TLS SPIN_US');

const host = await startTargetHost({
  host: '127.0.0.1',
  port: 0,
  secret: '',
  dirs: [dir],
  unconfirmed: true,
  arenaBytes: 256 * 1024 * 1024,
  hugepages: 'try',
  deviceName: 'lo',
  tls,
  spinUs: Number(spinUs ?? 0),
});
process.send?.({ port: host.port });
process.once('disconnect', () => void host.stop(1_000));
