/** `seaweed-rdma read`: one needle from a target, its checksum verified, its stored bytes as they are. */
import { writeFile } from 'node:fs/promises';
import { isCompressed, isManifest } from '../../needle/record.ts';
import type { Needle, NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import { httpPath } from '../bench/http-path.ts';
import { exitCodes } from '../exit-codes.ts';
import { fidOf, type NeedleName } from '../needle-name.ts';
import { note, printJson, visible } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';
import { type Fabric, type FabricOptions, openFabric, volumesWithin } from './fabric.ts';

export interface ReadToolOptions {
  readonly fabric: FabricOptions;
  readonly needle: NeedleName;
  /** undefined: stdout, or nowhere with `json`. */
  readonly output: string | undefined;
  readonly metadataOnly: boolean;
  /** Range of the stored bytes; undefined: all of them. */
  readonly range: { readonly offset: number; readonly bytes: number } | undefined;
  /** An HTTP server whose bytes must be the same. */
  readonly compareUrl: string | undefined;
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly json: boolean;
}

/** Limit of native/protocol/wire.h: the needle is asked for whole, so that a larger one is refused and not cut. */
const needleBytesMax = 2 ** 32;

/** Returns the exit code: failed when there is no such live needle. */
export async function runRead(options: ReadToolOptions): Promise<number> {
  const { timeoutMs, bytesMax } = options;
  // The arena cuts itself into slabs: one of the largest size must fit beside what small slabs take.
  const arenaBytes = 2 * bytesMax + 2 ** 24;
  const fabric = await openFabric(options.fabric, arenaBytes);
  try {
    const fetcher = await fetcherOf(fabric, options.needle.volumeId, timeoutMs);
    return await readNeedle(fetcher, options);
  } finally {
    await fabric.close();
  }
}

async function fetcherOf(
  fabric: Fabric,
  volumeId: number,
  timeoutMs: number,
): Promise<NeedleFetcher> {
  const [first, ...others] = fabric.fetchers;
  if (others.length === 0) return first;
  await Promise.all(fabric.fetchers.map((fetcher) => volumesWithin(fetcher, timeoutMs)));
  return [first, ...others].find((fetcher) => fetcher.volumes.has(volumeId)) ?? first;
}

async function readNeedle(fetcher: NeedleFetcher, options: ReadToolOptions): Promise<number> {
  const postedAt = performance.now();
  const result = await fetcher.read({
    ...options.needle,
    offset: options.range?.offset ?? 0,
    length: options.range?.bytes ?? needleBytesMax,
    wholeBytesMax: options.range === undefined ? options.bytesMax : 0,
    budgetBytes: options.bytesMax,
    metadataOnly: options.metadataOnly,
    timeoutMs: options.timeoutMs,
  });
  const durationUs = Math.round((performance.now() - postedAt) * 1000);
  if (result.kind === 'failed') {
    if (options.json) {
      printJson({ ok: false, fid: fidOf(options.needle), status: result.status });
    }
    throw new ToolFailure(`${fidOf(options.needle)}: ${result.status}`);
  }
  const { needle, data } = result;
  const transport = fetcher.state.kind === 'up' ? fetcher.state.transport : 'unknown';
  const facts = { ...describe(needle), transport, target: fetcher.address, durationUs };
  try {
    if (options.json) printJson({ ok: true, ...facts, verified: data !== undefined });
    else printFacts(facts);
    if (data !== undefined && options.compareUrl !== undefined) {
      await compareWith(options.compareUrl, data.view, options);
    }
    if (data !== undefined) await writeData(data.view, options);
  } finally {
    data?.lease.release();
  }
  return exitCodes.done;
}

function describe(needle: Needle): Record<string, unknown> {
  return {
    fid: fidOf(needle),
    dataBytes: needle.dataBytes,
    checksum: needle.checksum.toString(16).padStart(8, '0'),
    name: needle.name,
    mime: needle.mime,
    pairs: needle.pairs,
    lastModifiedSeconds: needle.lastModifiedSeconds,
    ttlLeftMs: needle.ttlLeftMs ?? null,
    appendAtNs: needle.appendAtNs,
    compressed: isCompressed(needle.flags),
    manifest: isManifest(needle.flags),
    volumeVersion: needle.volumeVersion,
    epoch: needle.epoch.toString(16),
    position: needle.position,
  };
}

/** To stderr: stdout carries the needle. */
function printFacts(facts: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(facts)) {
    if (value !== '' && value !== null) note(`${name}: ${visible(String(value))}`);
  }
}

/** Throws ToolFailure with the first difference. */
async function compareWith(
  url: string,
  view: Buffer,
  { needle, range, timeoutMs }: ReadToolOptions,
): Promise<void> {
  // Asks for the stored form: fetch decodes any encoding that it did not ask for by name.
  const load = { needles: [], bytes: view.length, timeoutMs, depth: 1 };
  const read = httpPath(url, load, { offset: range?.offset ?? 0 });
  let difference: string | undefined;
  await read(needle, (bytes) => {
    const at = bytes.findIndex((byte, index) => byte !== view[index]);
    if (at >= 0) difference = `differ first at byte ${at + (range?.offset ?? 0)}`;
    else if (bytes.length !== view.length) difference = `are ${bytes.length}, not ${view.length}`;
  }).catch((error: Error) => {
    throw new ToolFailure(`${url} gave no bytes to compare: ${error.message}`);
  });
  if (difference === undefined) return note(`the same ${view.length} bytes from ${url}`);
  throw new ToolFailure(`${fidOf(needle)}: the bytes of ${url} ${difference}`);
}

/** The lease is held until the bytes are with the kernel. */
async function writeData(view: Buffer, { output, json }: ReadToolOptions): Promise<void> {
  if (output !== undefined) return writeFile(output, view);
  if (json) return;
  if (process.stdout.isTTY) note('data is written to a terminal as it is; --output FILE keeps it');
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(view, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
