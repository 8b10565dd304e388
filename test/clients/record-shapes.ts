/**
 * Records the shapes of the clients' reads where the proxy would be, into `fixtures/request-shapes.json`. Needs `WEED_BIN`.
 * Run with the pinned Node: `node test/clients/record-shapes.ts`.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import {
  type ClientToRun,
  clientsWithoutTokens,
  clientsWithTokens,
  readKey,
} from './client-list.ts';
import { Cluster, type ClusterOptions, type Filer } from './cluster.ts';
import { RequestEar } from './request-ear.ts';
import { type RecordedShapes, type RequestShape, shapeOf, shapesFile } from './request-shapes.ts';

const weed = process.env['WEED_BIN'];
if (weed === undefined) throw new Error('WEED_BIN names no SeaweedFS program');
const clientsByShape = new Map<string, Set<string>>();

await record({ weed }, clientsWithoutTokens);
await record({ weed, readKey }, clientsWithTokens);

const shapes: RequestShape[] = [...clientsByShape]
  .map(([lines, clients]) => ({ clients: [...clients].sort(), lines: lines.split('\n') }))
  .sort((a, b) => (a.lines.join('\n') < b.lines.join('\n') ? -1 : 1));
const version = execFileSync(weed, ['version'], { encoding: 'utf8' }).split('\n')[0] as string;
const recorded: RecordedShapes = { server: version.trim(), shapes };
writeFileSync(shapesFile, `${JSON.stringify(recorded, undefined, 1)}\n`);
console.log(`${shapes.length} shapes: ${shapesFile}`);

async function record(
  options: Omit<ClusterOptions, 'front'>,
  clientsOf: (filer: () => Filer) => readonly ClientToRun[],
): Promise<void> {
  let name = '';
  const ear = new RequestEar((head) => {
    const shape = shapeOf(head)?.join('\n');
    // What the clients' own comparisons ask is none of theirs.
    if (shape === undefined || name === '' || /^user-agent: node$/m.test(shape)) return;
    const clients = clientsByShape.get(shape) ?? new Set();
    clientsByShape.set(shape, clients.add(name));
  });
  const cluster = await Cluster.start({ ...options, front: ear.hear });
  try {
    const filer = await cluster.startFiler();
    for (const { client, hindrance } of clientsOf(() => filer)) {
      if (hindrance !== undefined) throw new Error(`${client.name}: ${hindrance}`);
      console.log(client.name);
      name = '';
      await client.prepare(cluster);
      name = client.name;
      await client.read(cluster, 1);
    }
  } finally {
    await cluster.close();
  }
}
