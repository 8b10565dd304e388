/** Layer 15: reads measured for a moment, beside what the link could carry. */
import { join } from 'node:path';
import { readLine } from '../../rdma/machine-files.ts';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import { isActive } from '../../rdma/rdma-ports.ts';
import { type Percentiles, percentiles } from '../../telemetry/percentiles.ts';
import { httpPath } from '../bench/http-path.ts';
import type { NeedleName } from '../needle-name.ts';
import { type Finding, ok, skip, warn } from './check.ts';
import type { DeviceFacts } from './devices.ts';
import { formatBytes } from './format-bytes.ts';
import { needleBytesMax } from './sessions.ts';

export interface Speed {
  readonly target: string;
  readonly transport: string;
  readonly fid: string;
  readonly needleBytes: number;
  readonly latencyUs: Percentiles;
  readonly bytesPerSecond: number;
  readonly reads: number;
  /** Times of the needle over HTTP, in this order: from the volume server, from the proxy where it runs. */
  readonly http: readonly HttpSpeed[];
}

export interface HttpSpeed {
  /** "the volume server", "the proxy". */
  readonly name: string;
  readonly url: string;
  /** '' where it was read. */
  readonly failure: string;
  readonly latencyUs: Percentiles;
  readonly bytesPerSecond: number;
}

/** The other places that the needle is read from. */
export interface HttpPlaceNamed {
  readonly name: string;
  readonly url: string;
}

export interface LinkRate {
  readonly name: string;
  readonly bitsPerSecond: number;
}

const latencyReads = 100;
const latencyBytes = 4096;
const latencyMsMax = 300;
const bandwidthMs = 200;
const depth = 8;

/** Reads the bytes that are asked for, and tells how many came; -1: it failed. */
type ReadBytes = (length: number) => Promise<number>;

export async function measure(
  fetcher: NeedleFetcher,
  needle: NeedleName,
  names: { readonly target: string; readonly fid: string },
  timeoutMs: number,
): Promise<Omit<Speed, 'http'> | undefined> {
  const read: ReadBytes = async (length) => {
    const wholeBytesMax = length === latencyBytes ? 0 : needleBytesMax;
    const sizes = { offset: 0, length, wholeBytesMax, budgetBytes: needleBytesMax };
    const result = await fetcher.read({ ...needle, ...sizes, metadataOnly: false, timeoutMs });
    if (result.kind === 'failed') return -1;
    const bytes = result.data?.view.length ?? 0;
    result.data?.lease.release();
    return bytes;
  };
  const needleBytes = await read(2 ** 32);
  if (needleBytes < 0) return undefined;
  const latencies = await latenciesOf(read);
  if (latencies === undefined) return undefined;
  const { state } = fetcher;
  const transport = state.kind === 'up' ? state.transport : 'unknown';
  const latencyUs = percentiles(latencies);
  return { ...names, transport, needleBytes, latencyUs, ...(await bandwidth(read)) };
}

/** Measures the same sizes over HTTP, on a connection that stays open. */
export async function measureHttp(
  { name, url }: HttpPlaceNamed,
  needle: NeedleName,
  readKey: string | undefined,
  timeoutMs: number,
): Promise<HttpSpeed> {
  let failure = '';
  const reader = (bytes: number): ReadBytes => {
    const path = httpPath(url, { bytes, timeoutMs, depth }, { readKey });
    return async () => {
      let got = -1;
      await path(needle, (view) => {
        got = view.length;
      }).catch((error: Error) => {
        failure = error.message;
      });
      return got;
    };
  };
  const latencies = await latenciesOf(reader(latencyBytes));
  const none = { name, url, failure, latencyUs: percentiles([]), bytesPerSecond: 0 };
  if (latencies === undefined) return { ...none, failure };
  const { bytesPerSecond } = await bandwidth(reader(needleBytesMax));
  return { ...none, failure, latencyUs: percentiles(latencies), bytesPerSecond };
}

async function latenciesOf(read: ReadBytes): Promise<readonly number[] | undefined> {
  // The first one may have to connect.
  if ((await read(latencyBytes)) < 0) return undefined;
  const latencies: number[] = [];
  const untilMs = performance.now() + latencyMsMax;
  while (latencies.length < latencyReads && performance.now() < untilMs) {
    const startedAt = performance.now();
    if ((await read(latencyBytes)) < 0) return undefined;
    latencies.push((performance.now() - startedAt) * 1000);
  }
  return latencies;
}

async function bandwidth(
  read: ReadBytes,
): Promise<{ readonly bytesPerSecond: number; readonly reads: number }> {
  const startedAt = performance.now();
  let bytes = 0;
  let reads = 0;
  const reader = async (): Promise<void> => {
    while (performance.now() - startedAt < bandwidthMs) {
      const got = await read(2 ** 32);
      if (got < 0) return;
      bytes += got;
      reads += 1;
    }
  };
  await Promise.all(Array.from({ length: depth }, reader));
  const seconds = (performance.now() - startedAt) / 1000;
  return { bytesPerSecond: bytes / seconds, reads };
}

/** Rate of the fastest active port, else of the fastest network device; undefined where none tells. */
export function linkRate(
  sysRoot: string,
  { devices, netDevices }: DeviceFacts,
): LinkRate | undefined {
  const ports = devices
    .flatMap((device) => device.ports)
    .filter(isActive)
    .map(({ name, rate }) => ({ name, bitsPerSecond: Number.parseFloat(rate) * 1e9 }));
  const nets = netDevices.map((name) => ({
    name,
    bitsPerSecond: Number(readLine(join(sysRoot, 'class/net', name, 'speed')) ?? -1) * 1e6,
  }));
  const known = (ports.length > 0 ? ports : nets).filter(({ bitsPerSecond }) => bitsPerSecond > 0);
  return known.toSorted((a, b) => b.bitsPerSecond - a.bitsPerSecond)[0];
}

/** Smaller needles measure round trips, not the link. */
const bandwidthBytesMin = 256 * 1024;
const shareMin = 0.3;
const slowUs = 5_000;
/** A target that is this much slower than HTTP is worth a word; less is noise. */
const slowerThanHttp = 1.5;

export function judgeSpeed(
  speeds: readonly (Speed & { readonly isThisHost: boolean })[],
  link: LinkRate | undefined,
  why: string,
): readonly Finding[] {
  if (why !== '' || speeds.length === 0) {
    const reason = why === '' ? 'no needle could be read' : why;
    return [skip('latency', reason), skip('bandwidth', reason)];
  }
  return [...speeds.map(latency), ...speeds.map((speed) => bandwidthFinding(speed, link))];
}

function latency(speed: Speed): Finding {
  const { target, fid, needleBytes, latencyUs, transport, http } = speed;
  const { p50 } = latencyUs;
  const asked = formatBytes(Math.min(needleBytes, latencyBytes));
  const evidence = [
    `${latencyUs.count} reads of ${asked} of ${fid} over ${transport}: ${spreadOf(latencyUs)}`,
    ...http.map(({ name, url, failure, latencyUs: us }) =>
      failure === ''
        ? `the same from ${name}, ${url}: ${spreadOf(us)}`
        : `the same from ${name}, ${url}: not read (${failure})`,
    ),
  ];
  if (p50 > slowUs) {
    return warn('latency', {
      summary: `${target}: ${p50.toFixed(0)} µs for a read of ${asked}`,
      evidence,
      fix: ['look at ping above: far away, or a busy host; at the disk of the target (iostat -x)'],
    });
  }
  const read = http.filter(({ failure }) => failure === '');
  const others = read.map(({ name, latencyUs: us }) => `; ${name} ${us.p50.toFixed(0)} µs`);
  const summary = `${target}: ${p50.toFixed(1)} µs${others.join('')}`;
  const [server] = read;
  if (server === undefined || p50 <= slowerThanHttp * server.latencyUs.p50) {
    return ok('latency', summary, evidence);
  }
  return warn('latency', {
    summary: `${summary}: the fast path is slower than HTTP`,
    evidence,
    fix: [
      'see transport and ping above; then, under load: seaweed-rdma bench FID --config FILE --depth 16',
    ],
  });
}

function spreadOf({ p50, p99, max }: Percentiles): string {
  return `p50 / p99 / max ${[p50, p99, max].map((value) => value.toFixed(1)).join(' / ')} µs`;
}

function bandwidthFinding(
  speed: Speed & { readonly isThisHost: boolean },
  link: LinkRate | undefined,
): Finding {
  const { target, fid, needleBytes, bytesPerSecond, reads, transport, isThisHost, http } = speed;
  const shown = `${formatBytes(bytesPerSecond)}/s`;
  const evidence = [
    `${reads} reads of ${formatBytes(needleBytes)} of ${fid} over ${transport}, ${depth} in flight: ${shown}`,
    ...http
      .filter(({ failure }) => failure === '')
      .map((other) => `the same from ${other.name}: ${formatBytes(other.bytesPerSecond)}/s`),
  ];
  if (isThisHost) {
    return ok(
      'bandwidth',
      `${target}: ${shown}; on this host there is no link to compare with`,
      evidence,
    );
  }
  if (link === undefined) {
    return ok('bandwidth', `${target}: ${shown}; no device tells its rate`, evidence);
  }
  const share = (bytesPerSecond * 8) / link.bitsPerSecond;
  evidence.push(
    `${link.name}: ${(link.bitsPerSecond / 1e9).toFixed(0)} Gbit/s nominal, ${(share * 100).toFixed(0)} % used`,
  );
  if (needleBytes < bandwidthBytesMin) {
    return ok('bandwidth', `${target}: ${shown}; too small a needle to fill a link`, evidence);
  }
  if (share >= shareMin) return ok('bandwidth', `${target}: ${shown}`, evidence);
  return warn('bandwidth', {
    summary: `${target}: ${shown}, ${(share * 100).toFixed(0)} % of ${link.name}`,
    evidence,
    fix: [
      'see transport, rdma-mtu and numa above; a longer run: seaweed-rdma bench FID --size 4MiB --depth 16 --config FILE',
    ],
  });
}
