/**
 * The body of a volume server's `GET /ui/index.html` → the erasure coded volumes of which it has shards. No other page
 * of its HTTP port names them. Pure; nothing in it is trusted: a page that looks otherwise names none.
 */
const heading = '<h2>Erasure Coding Shards</h2>';
const volumeIdMax = 2 ** 32 - 1;

export function ecVolumes(page: string): ReadonlySet<number> {
  const volumes = new Set<number>();
  const begin = page.indexOf(heading);
  if (begin < 0) return volumes;
  const end = page.indexOf('</table>', begin);
  const table = page.slice(begin, end < 0 ? page.length : end);
  for (const [, digits] of table.matchAll(/<td><code>(\d{1,10})<\/code><\/td>/g)) {
    const volumeId = Number(digits);
    if (volumeId <= volumeIdMax) volumes.add(volumeId);
  }
  return volumes;
}
