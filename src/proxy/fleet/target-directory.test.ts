import { describe, expect, it } from 'vitest';
import { ScriptedFetcher } from '../../../test/unit/scripted-fetcher.ts';
import { LearnedFacts } from './learned-facts.ts';
import { TargetDirectory, type TargetEntry, targetEntry } from './target-directory.ts';

/** A fetcher whose volumes and state change as a target's do: as a whole, and with a call. */
class LiveFetcher extends ScriptedFetcher {
  readonly #listeners: (() => void)[] = [];

  override onChange(listener?: () => void): void {
    if (listener !== undefined) this.#listeners.push(listener);
  }

  announce(...volumes: readonly (readonly [volumeId: number, confirmed: boolean])[]): void {
    this.state = { kind: 'up', transport: 'scripted', sessionId: 1n };
    this.#set(volumes);
  }

  lose(): void {
    this.state = { kind: 'down', status: 'peer_lost', detail: '' };
    this.#set([]);
  }

  #set(volumes: readonly (readonly [volumeId: number, confirmed: boolean])[]): void {
    this.volumes = new Map(
      volumes.map(([volumeId, confirmed]) => [
        volumeId,
        { volumeId, version: 3, confirmed, collection: '' },
      ]),
    );
    for (const listener of this.#listeners) listener();
  }
}

interface Rig {
  readonly directory: TargetDirectory;
  readonly entries: readonly TargetEntry[];
  readonly fetchers: readonly LiveFetcher[];
  /** The servers that are known to have the volume, in order. */
  find(volumeId: number): readonly number[];
  list(index: number, ...volumes: readonly number[]): void;
}

function rig(count = 2): Rig {
  const fetchers = Array.from({ length: count }, () => new LiveFetcher());
  for (const fetcher of fetchers) fetcher.announce();
  const entries = fetchers.map((fetcher, index) => {
    const facts = new LearnedFacts();
    facts.learnProbe({ server: 'S', kind: 'go', requiresToken: false, sentAt: performance.now() });
    return targetEntry(`http://127.0.0.1:${index + 1}`, fetcher, facts);
  });
  const directory = new TargetDirectory(entries);
  return {
    directory,
    entries,
    fetchers,
    find: (volumeId) => directory.find(volumeId).map(({ entry }) => entries.indexOf(entry)),
    list: (index, ...volumes) => directory.listed(entries[index] as TargetEntry, new Set(volumes)),
  };
}

describe('the directory', () => {
  it('knows no server at first, and with a single server that one', () => {
    expect(rig().find(3)).toEqual([]);
    expect(rig(1).find(3)).toEqual([0]);
  });

  it('takes a server’s own list and its target’s', () => {
    const { find, list, fetchers } = rig();
    list(1, 3);
    fetchers[0]?.announce([4, true]);
    expect([find(3), find(4), find(5)]).toEqual([[1], [0], []]);
  });

  it('returns every holder: confirmed, then listed and announced, then listed', () => {
    const { find, list, fetchers } = rig(3);
    for (const index of [0, 1, 2]) list(index, 3);
    fetchers[1]?.announce([3, false]);
    fetchers[2]?.announce([3, true]);
    expect(find(3)).toEqual([2, 1, 0]);
  });

  it('prefers a server that lists the volume to one whose target alone announces it', () => {
    const { find, list, fetchers } = rig();
    fetchers[0]?.announce([3, false]);
    expect(find(3)).toEqual([0]);
    list(1, 3);
    expect(find(3)).toEqual([1, 0]);
  });

  it('keeps the owner when its target goes away', () => {
    const { find, fetchers } = rig();
    fetchers[1]?.announce([3, true]);
    fetchers[1]?.lose();
    expect(find(3)).toEqual([1]);
    fetchers[1]?.announce();
    expect(find(3)).toEqual([1]);
  });

  it('keeps the owner when the server goes away, behind one that has the volume and answers', () => {
    const { find, list, entries, fetchers } = rig();
    list(0, 3);
    entries[0]?.facts.missProbe('down', 'connect ECONNREFUSED');
    fetchers[0]?.lose();
    expect(find(3)).toEqual([0]);
    list(1, 3);
    expect(find(3)).toEqual([1, 0]);
  });

  it('believes a server’s newer list more than what its lost target said', () => {
    const { find, list, fetchers, directory, entries } = rig();
    fetchers[0]?.announce([3, true]);
    fetchers[0]?.lose();
    list(0, 4);
    expect(find(3)).toEqual([]);
    expect(directory.lastHolder(3)?.entry).toBe(entries[0]);
  });

  it('remembers who had a volume that no server lists, until another server lists it', () => {
    const { find, list, directory, entries } = rig();
    list(0, 3);
    list(0);
    expect(find(3)).toEqual([]);
    expect(directory.lastHolder(3)?.entry).toBe(entries[0]);
    list(1, 3);
    expect(find(3)).toEqual([1]);
    expect(directory.lastHolder(3)).toBeUndefined();
  });

  it('follows a volume that moved', () => {
    const { find, list } = rig();
    list(0, 3);
    list(1, 3);
    list(0);
    expect(find(3)).toEqual([1]);
  });

  it('counts shards of an erasure coded volume', () => {
    const { find, entries } = rig();
    entries[1]?.owned.listShards(new Set([9]));
    expect(find(9)).toEqual([1]);
  });
});
