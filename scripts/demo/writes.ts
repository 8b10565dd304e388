/**
 * Reads go on while a writer appends, overwrites and deletes. Every read is checked against what was acknowledged before
 * it began: it may show a write that was under way, never one that was replaced before.
 */
import { checked, type Wanted } from './reads.ts';
import type { Sample, Samples } from './samples.ts';
import type { VolumeServer } from './volume-server.ts';

/** undefined: no content, the needle is deleted or not written yet. */
type Content = Buffer | undefined;
type Kind = 'append' | 'overwrite' | 'delete' | 'vacuum';

export interface Written {
  readonly writes: number;
  /** How many of each kind. */
  readonly kinds: string;
  readonly reads: number;
  readonly checks: number;
  readonly stale: number;
  readonly differences: readonly string[];
}

const readers = 4;
const writes = 300;
const vacuumEvery = 75;

/** The content of one needle, version by version. */
class History {
  readonly versions: Content[];
  acknowledged = 0;
  constructor(bytes: Buffer) {
    this.versions = [bytes];
  }
  get newest(): Content {
    return this.versions.at(-1);
  }
  begin(bytes: Content): void {
    this.versions.push(bytes);
  }
  acknowledge(): void {
    this.acknowledged = this.versions.length - 1;
  }
}

export async function readWhileWriting({
  proxy,
  volumeServer,
  samples,
}: {
  readonly proxy: string;
  readonly volumeServer: VolumeServer;
  readonly samples: Samples;
}): Promise<Written> {
  const writer = samples.writerFor(volumeServer);
  const needles = samples.hotNeedles();
  const histories = new Map(needles.map((needle) => [needle, new History(needle.bytes)]));
  const result = { writes: 0, reads: 0, checks: 0, stale: 0 };
  const differences: string[] = [];
  const kinds: Record<Kind, number> = { append: 0, overwrite: 0, delete: 0, vacuum: 0 };

  let isWriting = true;
  const readOn = async (seed: number): Promise<void> => {
    for (let at = seed; isWriting; at += 7) {
      const needle = needles[at % needles.length] as Sample;
      const found = await readAgainst(proxy, needle, histories.get(needle) as History);
      result.reads += 1;
      if (found !== undefined) differences.push(found);
    }
  };
  const reading = Array.from({ length: readers }, (_, seed) => readOn(seed));
  try {
    for (let at = 0; at < writes; at += 1) {
      const needle = needles[(at * 5) % needles.length] as Sample;
      const history = histories.get(needle) as History;
      const kind = kindOf(at, history);
      const bytes = kind === 'delete' ? undefined : samples.newBytes(at);
      history.begin(bytes);
      if (bytes === undefined) await writer.remove(needle);
      else await writer.put(needle, bytes);
      history.acknowledge();
      kinds[kind] += 1;
      result.writes += 1;
      const found = await readAgainst(proxy, needle, history);
      result.checks += 1;
      if (writer.vacuum !== undefined && at % vacuumEvery === vacuumEvery - 1) {
        writer.vacuum();
        kinds.vacuum += 1;
      }
      if (found === undefined) continue;
      result.stale += 1;
      differences.push(`after ${kind}: ${found}`);
    }
  } finally {
    isWriting = false;
    await Promise.all(reading);
    writer.close();
  }
  const named = Object.entries(kinds).map(([kind, count]) => `${count} ${kind}`);
  return { ...result, kinds: named.join(', '), differences };
}

function kindOf(at: number, history: History): Exclude<Kind, 'vacuum'> {
  if (history.newest === undefined) return 'append';
  return at % 4 === 3 ? 'delete' : 'overwrite';
}

/** How the answer differs from everything that it may show; undefined: it does not. */
async function readAgainst(
  proxy: string,
  needle: Sample,
  history: History,
): Promise<string | undefined> {
  const oldest = history.acknowledged;
  const wanted = wantedFor(history.versions[oldest]);
  const { answer, difference } = await checked(proxy, { path: needle.path }, wanted);
  if (difference === undefined) return undefined;
  const isAllowed = history.versions.slice(oldest + 1).some((bytes) => {
    const { status, body } = wantedFor(bytes);
    return answer.status === status && answer.body.equals(body);
  });
  return isAllowed ? undefined : difference;
}

function wantedFor(bytes: Content): Wanted {
  return { status: bytes === undefined ? 404 : 200, body: bytes ?? Buffer.alloc(0) };
}
