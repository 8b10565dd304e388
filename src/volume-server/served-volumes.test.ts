/** The list of volumes, long and hostile; test/integration/confirmation.test.ts has the short ones. */
import { describe, expect, it } from 'vitest';
import { ecVolumes } from './ec-volumes.ts';
import { type StatusBody, servedVolumes, stepBytes, volumesMax } from './served-volumes.ts';

const rowCount = 6_000;
const row = (index: number, name: string): object => ({
  Collection: name,
  ReplicaPlacement: { node: 1 },
  Ttl: { Count: 0, Unit: 0 },
  Size: index * 7,
  ModifiedAtSecond: 1_795_377_604,
  Id: index,
  FileCount: index,
});
const rowsOf = (name: string, count = rowCount): object[] =>
  Array.from({ length: count }, (_, index) => row(index, name));
const disks = [{ dir: '/dä},{ta' }];
const read = (body: string): Promise<StatusBody> => servedVolumes(Buffer.from(body));

async function expectRead(body: string): Promise<void> {
  expect(body.length).toBeGreaterThan(3 * stepBytes);
  const status = await read(body);
  if (status.kind === 'malformed') throw new Error(status.detail);
  expect(status.dirs).toEqual(['/dä},{ta']);
  const expected = Array.from({ length: rowCount }, (_, index) => ({
    volumeId: index,
    sizeBytes: index * 7,
    fileCount: index,
    modifiedAtSeconds: 1_795_377_604,
    isTiered: false,
  }));
  expect(status.volumes).toEqual(expected);
}

/** The longest time between two looks at the event loop while `work` runs. */
async function longestHoldMs(work: () => Promise<unknown>): Promise<number> {
  let [isDone, longestMs, seenAt] = [false, 0, performance.now()];
  const look = (): void => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - seenAt);
    seenAt = now;
    if (!isDone) setImmediate(look);
  };
  look();
  await work();
  isDone = true;
  look();
  return longestMs;
}

describe('a list of many volumes', () => {
  it.each([
    ['is compact', 'pics'],
    ['has the seam of two rows in its names', `${'},{'.repeat(100)}`],
    ['has quotes and backslashes in its names', `\\"],[{\\\\"}${'ü'.repeat(60)}`],
  ])('is read whole where it %s', async (_name, name) => {
    const Volumes = rowsOf(name);
    await expectRead(JSON.stringify({ DiskStatuses: disks, Version: '1', Volumes }));
    await expectRead(JSON.stringify({ Volumes, DiskStatuses: disks }));
    await expectRead(
      JSON.stringify({ Nested: { Volumes: [{}] }, DiskStatuses: disks, Volumes }, null, 1),
    );
  });

  it('does not end with a list that comes behind it', async () => {
    const Volumes = rowsOf('pics', 2);
    const status = await read(JSON.stringify({ Volumes, Other: [{}, {}], DiskStatuses: disks }));
    expect(status).toMatchObject({ kind: 'served', dirs: ['/dä},{ta'] });
    expect(status.kind === 'served' && status.volumes.length).toBe(2);
  });

  const long = rowsOf('pics')
    .map((each) => JSON.stringify(each))
    .join();
  it.each([
    ['is cut', `{"Volumes":[${long}`],
    ['is cut in a row', `{"Volumes":[${long.slice(0, -9)}`],
    ['is closed by a brace', `{"Volumes":[${long}}}`],
    ['ends in a comma', `{"Volumes":[${long},]}`],
    ['begins with a comma', `{"Volumes":[,${long}]}`],
    ['has nothing between two commas', `{"Volumes":[${long},,${long}]}`],
    ['lacks a comma', `{"Volumes":[${long}${long}]}`],
    ['has text behind it', `{"Volumes":[${long}]}x`],
    ['stands in an object that does not end', `{"Volumes":[${long}]`],
    ['comes twice', `{"Volumes":[${long}],"Volumes":[]}`],
    ['comes twice, spelled in two ways', `{"Volumes":[${long}],"Volume\\u0073":null}`],
    ['has no key', `["Volumes",[${long}]]`],
    ['is a value without a key', `{"a":"Volumes":[${long}]}`],
    [
      'has more volumes than a server',
      `{"Volumes":[${long.concat(',', long).concat(',').repeat(28)}${long}]}`,
    ],
  ])('confirms nothing where it %s', async (_name, body) => {
    expect(await read(body)).toMatchObject({ kind: 'malformed' });
  });
});

describe('64 MiB of a hostile page', () => {
  const pageBytes = 64 * 2 ** 20;
  const filled = (begin: string, piece: string): Buffer => {
    const page = Buffer.alloc(pageBytes, piece);
    page.write(begin);
    return page;
  };
  const small = '{"Id":1,"Size":1,"FileCount":1,"ModifiedAtSecond":1},';

  it.each([
    ['objects', filled('{"Volumes":[', '{},')],
    ['opening brackets', filled('', '[')],
    ['opening brackets in the list', filled('{"Volumes":[', '[')],
    ['numbers', filled('{"Volumes":[', '1,')],
    ['members', filled('{', '"a":1,')],
    ['members behind the list', filled('{"Volumes":[],', '"a":1,')],
    ['backslashes', filled('{"Volumes":["', '\\')],
    ['keys', filled('{"Volumes":[{', '"a":1,')],
    ['volumes', filled(`{"Volumes":[${' '.repeat(small.length * 2 - 12)}`, small)],
  ])('of %s holds the event loop briefly and confirms nothing', async (_name, page) => {
    let status: StatusBody | undefined;
    const holdMs = await longestHoldMs(async () => {
      status = await servedVolumes(page);
    });
    expect(status).toMatchObject({ kind: 'malformed' });
    expect(holdMs).toBeLessThan(300);
  });

  it.each([
    ['cells', '<td><code>1</code></td>'],
    ['halves of cells', '<td><code>1'],
  ])('of %s holds the event loop briefly', async (_name, piece) => {
    const page = filled('<h2>Erasure Coding Shards</h2>', piece);
    const holdMs = await longestHoldMs(() => ecVolumes(page));
    expect(holdMs).toBeLessThan(300);
  });
});

it('a list of the most volumes holds the event loop briefly', async () => {
  const rows = rowsOf('', volumesMax).map((each) => JSON.stringify(each));
  const page = Buffer.from(`{"Volumes":[${rows.join()}]}`);
  let status: StatusBody | undefined;
  const holdMs = await longestHoldMs(async () => {
    status = await servedVolumes(page);
  });
  expect(status?.kind === 'served' && status.volumes.length).toBe(volumesMax);
  expect(holdMs).toBeLessThan(200);
});
