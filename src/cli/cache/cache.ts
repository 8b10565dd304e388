/** `seaweed-rdma cache stats | list | warm | evict`: over the admin API of a running proxy. */
import { readFileSync } from 'node:fs';
import { type AdminAddress, AdminClient } from '../admin/admin-client.ts';
import { bytesText, countText, shareText } from '../admin/quantities.ts';
import type { ProxyStats } from '../admin/role-stats.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, print, printJson } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';

export interface CacheOptions {
  readonly place: AdminAddress;
  readonly timeoutMs: number;
  readonly json: boolean;
}

interface CacheListing {
  readonly stats: ProxyStats['cache'];
  readonly needles: readonly {
    readonly volumeId: number;
    readonly needleId: string;
    readonly bytes: number;
    readonly hits: number;
    readonly decoded: boolean;
  }[];
}

export async function runCacheStats({ place, timeoutMs, json }: CacheOptions): Promise<number> {
  const { stats } = await new AdminClient(place, timeoutMs).json<CacheListing>(
    '/api/cache?limit=0',
  );
  if (json) {
    printJson(stats);
    return exitCodes.done;
  }
  const { hits, misses, needles, bytes, bytesMax, decodedBytes, refusals, evictions } = stats;
  const left = Object.entries(evictions)
    .filter(([, count]) => count > 0)
    .map(([reason, count]) => `${reason} ${countText(count)}`);
  print(`needles   ${countText(needles)} in ${bytesText(bytes)} of ${bytesText(bytesMax)}`);
  print(`decoded   ${bytesText(decodedBytes)}`);
  print(
    `hits      ${countText(hits)} of ${countText(hits + misses)}: ${shareText(hits, hits + misses)}`,
  );
  print(`not let in ${countText(refusals)}; left: ${left.join(', ') || 'none'}`);
  return exitCodes.done;
}

export async function runCacheList(options: CacheOptions & { limit: number }): Promise<number> {
  const { place, timeoutMs, json, limit } = options;
  const client = new AdminClient(place, timeoutMs);
  const { needles } = await client.json<CacheListing>(`/api/cache?limit=${limit}`);
  if (json) {
    printJson({ needles });
    return exitCodes.done;
  }
  print(`${'volume'.padStart(8)}  ${'needle'.padStart(16)}  ${'size'.padStart(9)}  asked for`);
  for (const { volumeId, needleId, bytes, hits, decoded } of needles) {
    const id = BigInt(needleId).toString(16);
    const size = bytesText(bytes).padStart(9);
    const form = decoded ? '  decoded too' : '';
    print(`${String(volumeId).padStart(8)}  ${id.padStart(16)}  ${size}  ${hits}${form}`);
  }
  return exitCodes.done;
}

export interface CacheEvictOptions extends CacheOptions {
  readonly fids: readonly string[];
  readonly volumeId: number | undefined;
  readonly all: boolean;
}

export async function runCacheEvict(options: CacheEvictOptions): Promise<number> {
  const { place, timeoutMs, json, fids, volumeId, all } = options;
  const ways = [fids.length > 0, volumeId !== undefined, all].filter((given) => given);
  if (ways.length !== 1) {
    throw new ToolFailure(
      'no needles are named: give fids, or --volume ID, or --all',
      exitCodes.usage,
    );
  }
  const body = all ? { all } : volumeId === undefined ? { fids } : { volumeId };
  const client = new AdminClient(place, timeoutMs);
  const answer = await client.json<{ evicted: number }>('/api/cache/evict', body);
  if (json) printJson(answer);
  else print(`${answer.evicted} needles left the cache`);
  return exitCodes.done;
}

export interface CacheWarmOptions extends CacheOptions {
  readonly fids: readonly string[];
  /** One fid a line; '-': standard input. */
  readonly file: string | undefined;
}

interface WarmAnswer {
  readonly warmed: number;
  readonly results: readonly {
    readonly fid: string;
    readonly outcome: string;
    readonly reason: string;
    readonly bytes: number;
  }[];
}

/** Needles in one request to the API, few enough that progress can be shown. */
const warmedAtOnce = 100;
const warmMsMax = 65_000;

/** Returns the exit code: failed when a needle could not be warmed. */
export async function runCacheWarm(options: CacheWarmOptions): Promise<number> {
  const { place, timeoutMs, json } = options;
  const fids = [...options.fids, ...fidsOfFile(options.file)];
  if (fids.length === 0)
    throw new ToolFailure('no needles are named: give fids, or --file FILE', exitCodes.usage);
  // A batch takes as long as its needles do: the listener ends it after a minute.
  const client = new AdminClient(place, Math.max(timeoutMs, warmMsMax));
  const results: WarmAnswer['results'][number][] = [];
  let warmed = 0;
  const hasBar = process.stderr.isTTY === true && fids.length > warmedAtOnce;
  try {
    for (let at = 0; at < fids.length; at += warmedAtOnce) {
      const part = { fids: fids.slice(at, at + warmedAtOnce) };
      const answer = await client.json<WarmAnswer>('/api/cache/warm', part);
      results.push(...answer.results);
      warmed += answer.warmed;
      if (hasBar) process.stderr.write(`\r${progress(results.length, fids.length)}`);
    }
  } catch (error) {
    // The needles that were warmed until then are worth a line.
    if (results.length > 0) note(`${warmed} of ${fids.length} warmed, then:`);
    throw error;
  } finally {
    if (hasBar) process.stderr.write('\r\u001b[K');
  }
  if (json) printJson({ warmed, results });
  else report(results, warmed);
  return warmed === fids.length ? exitCodes.done : exitCodes.failed;
}

function fidsOfFile(file: string | undefined): string[] {
  if (file === undefined) return [];
  const lines = textOf(file).split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ToolFailure(`--file ${file} cannot be read: ${why}`, exitCodes.usage);
  }
}

function progress(done: number, all: number): string {
  const filled = Math.round((20 * done) / all);
  return `[${'#'.repeat(filled)}${' '.repeat(20 - filled)}] ${done} of ${all}`;
}

function report(results: WarmAnswer['results'], warmed: number): void {
  const byOutcome = new Map<string, number>();
  for (const { outcome, reason } of results) {
    const name = reason === '' ? outcome : `${outcome} (${reason})`;
    byOutcome.set(name, (byOutcome.get(name) ?? 0) + 1);
  }
  const counts = [...byOutcome].map(([name, count]) => `${name} ${count}`);
  print(`${warmed} of ${results.length} warmed: ${counts.join(', ')}`);
  const others = results.filter(({ outcome }) => outcome !== 'cache' && outcome !== 'rdma');
  for (const { fid, outcome, reason } of others) print(`  ${fid}  ${outcome}  ${reason}`);
}
