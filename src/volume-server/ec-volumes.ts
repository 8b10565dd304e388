/**
 * The body of a volume server's `GET /ui/index.html` → the erasure coded volumes of which it has shards. No other page
 * of its HTTP port names them. Nothing in it is trusted: a page that looks otherwise names none, and it is read in
 * steps, with a turn of the event loop behind each.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { stepBytes, volumesMax } from './served-volumes.ts';

const heading = '<h2>Erasure Coding Shards</h2>';
const volumeIdMax = 2 ** 32 - 1;
const cell = /<td><code>(\d{1,10})<\/code><\/td>/g;
/** A cell that begins in one step may end in the next. */
const cellBytesMax = 40;

export async function ecVolumes(page: Buffer): Promise<ReadonlySet<number>> {
  const volumes = new Set<number>();
  const begin = page.indexOf(heading);
  if (begin < 0) return volumes;
  const tableEnd = page.indexOf('</table>', begin);
  const end = tableEnd < 0 ? page.length : tableEnd;
  for (let at = begin; at < end && volumes.size <= volumesMax; at += stepBytes) {
    if (at > begin) await turn();
    const step = page.toString('latin1', at, Math.min(end, at + stepBytes + cellBytesMax));
    for (const [, digits] of step.matchAll(cell)) {
      const volumeId = Number(digits);
      if (volumeId <= volumeIdMax) volumes.add(volumeId);
    }
  }
  return volumes.size <= volumesMax ? volumes : new Set();
}
