import { describe, expect, it } from 'vitest';
import { ecVolumes } from './ec-volumes.ts';

const row = (id: string): string => `<tr>\n  <td><code>${id}</code></td>\n  <td>pics</td>\n</tr>`;
const volumes = `<h2>Volumes</h2><table><tbody>${row('1')}${row('2')}</tbody></table>`;
const shards = `<h2>Erasure Coding Shards</h2>\n<table><tbody>${row('7')}${row('4294967295')}</tbody></table>`;

describe('the page of a volume server', () => {
  it('names the erasure coded volumes, and no others', async () => {
    expect([...(await ecVolumes(Buffer.from(`<html>${volumes}${shards}</html>`)))]).toEqual([
      7, 4_294_967_295,
    ]);
  });

  it.each([
    ['has no such table', volumes],
    ['is something else', '{"Version":"1"}'],
    ['is empty', ''],
    [
      'holds what is no volume id',
      `<h2>Erasure Coding Shards</h2><table>${row('4294967296')}${row('x')}${row('-1')}</table>`,
    ],
    ['has ids behind the table', `<h2>Erasure Coding Shards</h2><table></table>${row('9')}`],
  ])('names none where it %s', async (_name, page) => {
    expect([...(await ecVolumes(Buffer.from(page)))]).toEqual([]);
  });
});
