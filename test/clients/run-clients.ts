/** Lets clients read twice from one cluster, counts how the proxy answered them, and holds the second pass to the rule. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answered, answeredBetween, describe, shareHere, totalsOf } from './answered.ts';
import type { ClientToRun } from './client-list.ts';
import { Cluster, type ClusterOptions, type Filer } from './cluster.ts';

export const weed: string | undefined = process.env['WEED_BIN'];
export const rustVolumeServer: string | undefined = process.env['WEED_VOLUME_RUST'];

/** Of the volume reads of the second pass. */
const shareHereMin = 0.95;
const passes = [1, 2];

/** Defines the tests of one cluster: one for each client. `clientsOf` gets the filer that they have in common. */
export function runClients(
  title: string,
  options: Omit<ClusterOptions, 'weed' | 'front'>,
  clientsOf: (filer: () => Filer) => readonly ClientToRun[],
): void {
  let cluster: Cluster;
  let filer: Filer;
  const lines: string[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start({ ...options, weed: weed as string, front: 'proxy' });
    filer = await cluster.startFiler();
  });

  afterAll(async () => {
    await cluster?.close();
    console.log([`Volume reads, ${title}:`, ...lines].join('\n'));
  });

  for (const { client, hindrance } of clientsOf(() => filer)) {
    test(`${client.name}: every byte is right, and its second pass is answered here`, async (context) => {
      if (hindrance !== undefined) context.skip(hindrance);
      await client.prepare(cluster);
      let last: Answered | undefined;
      for (const pass of passes) {
        const before = await totalsOf(cluster.admin);
        await client.read(cluster, pass);
        last = answeredBetween(before, await totalsOf(cluster.admin));
        lines.push(`${client.name}, pass ${pass}: ${describe(last)}`);
        await client.compare?.();
      }
      // NaN, where nothing was asked of the volume server, is not enough.
      expect(shareHere(last as Answered), lines.at(-1)).toBeGreaterThanOrEqual(shareHereMin);
    });
  }
}
