/** The process of one path: UCX reads its environment once, and CPU is counted by process. Told by its parent what to do. */
import { createHash } from 'node:crypto';
import type { NeedleFetcher } from '../../rdma/needle-fetcher.ts';
import { type Fabric, openFabric, volumesWithin } from '../fabric/fabric.ts';
import type { NeedleName } from '../needle-name.ts';
import { openHttpPath } from './http-path.ts';
import { closedLoop, openLoop } from './loops.ts';
import type { PathAnswer, PathCommand, PathLoad, PathPlace, PathRun, ReadNeedle } from './path.ts';

let load: PathLoad;
let readNeedle: ReadNeedle;
let fabric: Fabric | undefined;
/** Length that each needle's answer must have; learned by the sample. */
const lengths = new Map<NeedleName, number>();

process.on('message', (command: PathCommand) => {
  obey(command).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      const detail = error instanceof Error ? error.message : String(error);
      process.send?.({ kind: 'unavailable', detail } satisfies PathAnswer);
    },
  );
});

// The parent has gone, or is done.
process.on('disconnect', () => {
  void (fabric?.close() ?? Promise.resolve()).then(() => process.exit(0));
});

async function obey(command: PathCommand): Promise<PathAnswer> {
  if (command.kind === 'open') return open(command.place, command.load);
  if (command.kind === 'sample') return { kind: 'sampled', digests: await sample(command.count) };
  return { kind: 'ran', ...(await run(command.iterations, command.ratePerSecond)) };
}

async function open(place: PathPlace, of: PathLoad): Promise<PathAnswer> {
  load = of;
  if (place.kind === 'http') {
    readNeedle = await openHttpPath(place, load);
    return { kind: 'opened', detail: place.urls.join(', ') };
  }
  const arenaBytes = 2 ** 24 + 4 * load.depth * Math.max(load.bytes, 4096);
  fabric = await openFabric(place.fabric, arenaBytes);
  const { fetchers } = fabric;
  await Promise.all(fetchers.map((fetcher) => volumesWithin(fetcher, load.timeoutMs)));
  readNeedle = fabricPath(fetchers, load);
  const [{ state, address }] = fetchers;
  return { kind: 'opened', detail: `${address} by ${state.kind === 'up' ? state.transport : '?'}` };
}

function fabricPath(fetchers: Fabric['fetchers'], { bytes, timeoutMs }: PathLoad): ReadNeedle {
  const placeOf = ({ volumeId }: NeedleName): NeedleFetcher =>
    fetchers.find((fetcher) => fetcher.volumes.has(volumeId)) ?? fetchers[0];
  return async (needle, look) => {
    const result = await placeOf(needle).read({
      ...needle,
      offset: 0,
      length: bytes,
      wholeBytesMax: bytes,
      budgetBytes: bytes,
      metadataOnly: false,
      timeoutMs,
    });
    if (result.kind === 'failed') throw new Error(result.status);
    if (result.data === undefined) throw new Error('no data');
    try {
      look(result.data.view);
    } finally {
      result.data.lease.release();
    }
  };
}

async function sample(count: number): Promise<string[]> {
  const digests: string[] = [];
  for (const [index, needle] of load.needles.entries()) {
    // Every needle's length is known and compared before its reads are counted, the bytes of some too.
    let digest = '';
    await readNeedle(needle, (bytes) => {
      lengths.set(needle, bytes.length);
      digest = `${bytes.length} bytes`;
      if (index < count) digest = createHash('sha256').update(bytes).digest('hex');
    }).catch((error: Error) => {
      digest = `failed: ${error.message}`;
    });
    digests.push(digest);
  }
  return digests;
}

async function run(iterations: number, ratePerSecond: number): Promise<PathRun> {
  const { needles, depth } = load;
  let bytes = 0;
  const operation = (index: number): Promise<void> => {
    const needle = needles[index % needles.length] as NeedleName;
    return readNeedle(needle, (view) => {
      const wanted = lengths.get(needle);
      if (view.length !== wanted) throw new Error(`${view.length} bytes in place of ${wanted}`);
      bytes += view.length;
    });
  };
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const { latenciesUs, failures } =
    ratePerSecond === 0
      ? await closedLoop(operation, iterations, depth)
      : await openLoop(operation, iterations, ratePerSecond);
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    seconds,
    latenciesUs: Float64Array.from(latenciesUs),
    bytes,
    failures: Object.fromEntries(failures),
    cpuUs: user + system,
  };
}
