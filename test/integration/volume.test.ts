/** Volumes created, inspected, verified, damaged, and read back through a target. */
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runProgram, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const fixtures = join(import.meta.dirname, '..', 'conformance', 'fixtures', 'data');
let folders = 0;

function newFolder(): string {
  folders += 1;
  const folder = join(scratch.folder, `volumes-${folders}`);
  mkdirSync(folder);
  return folder;
}

async function create(
  folder: string,
  ...args: readonly string[]
): Promise<{ fid: string; bytes: number }[]> {
  const { status, stdout, stderr } = await runProgram([
    'volume',
    'create',
    folder,
    '--json',
    ...args,
  ]);
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout).needles;
}

interface Looked {
  readonly status: number | null;
  readonly ok: boolean;
  readonly volumes: readonly (Readonly<Record<string, unknown>> & {
    readonly problems: readonly unknown[];
  })[];
}

async function look(command: 'inspect' | 'verify', ...args: readonly string[]): Promise<Looked> {
  const { status, stdout } = await runProgram(['volume', command, '--json', ...args]);
  return { status, ...JSON.parse(stdout) };
}

describe('a created volume', () => {
  test.each(['1', '2', '3'])('of version %s is sound', async (version) => {
    const folder = newFolder();
    const needles = await create(
      folder,
      ...['--volume', '7', '--collection', 'c_d', '--needles', '20', '--size', '1KiB'],
      ...['--volume-version', version],
    );
    expect(needles).toHaveLength(20);
    expect(needles[0]).toMatchObject({
      fid: expect.stringMatching(/^7,01[0-9a-f]{8}$/),
      bytes: 1024,
    });
    expect(await look('inspect', folder, '--list', '3')).toMatchObject({
      status: 0,
      ok: true,
      volumes: [
        {
          volumeId: 7,
          collection: 'c_d',
          superblock: { version: Number(version) },
          liveCount: 20,
          deletedCount: 0,
          garbageBytes: 0,
          needles: [{ fid: needles[0]?.fid }, {}, {}],
        },
      ],
    });
    const file = join(folder, 'c_d_7.dat');
    expect(await look('verify', file)).toMatchObject({
      status: 0,
      ok: true,
      volumes: [{ needlesChecked: 20, problemCount: 0 }],
    });
  });

  test('holds the files that were given, and a target serves them', async () => {
    const folder = newFolder();
    const file = scratch.write('picture.jpg', Buffer.from([0xff, 0xd8, 0, 255, 10]));
    const [needle] = await create(folder, '--volume', '1', file);
    const target = startRole(['target'], {
      SEAWEED_RDMA__RDMA__PORT: '0',
      SEAWEED_RDMA__RDMA__BUFFER_SIZE: '16MiB',
      SEAWEED_RDMA__TARGET__DIRS: folder,
      SEAWEED_RDMA__TARGET__UNCONFIRMED: 'true',
      SEAWEED_RDMA__ADMIN__LISTEN: '127.0.0.1:0',
    });
    const { rdma } = await target.ready();
    const output = join(scratch.folder, 'read-back');
    const args = [needle?.fid ?? '', '--target', String(rdma), '--output', output, '--json'];
    const read = await runProgram(['read', ...args]);
    expect(JSON.parse(read.stdout)).toMatchObject({ ok: true, name: 'picture.jpg', dataBytes: 5 });
    expect(readFileSync(output)).toEqual(readFileSync(file));
    const bench = [
      'bench',
      '--dir',
      folder,
      '--target',
      String(rdma),
      '--iterations',
      '50',
      '--json',
    ];
    expect(JSON.parse((await runProgram(bench)).stdout)).toMatchObject({
      operation: 'read',
      bytes: 250,
    });
    expect(await target.stop()).toBe(0);
  });

  test('does not overwrite one that is there', async () => {
    const folder = newFolder();
    await create(folder, '--volume', '1', '--needles', '1');
    const again = await runProgram(['volume', 'create', folder, '--volume', '1']);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain('1.dat');
    expect(await look('verify', folder)).toMatchObject({
      ok: true,
      volumes: [{ needlesChecked: 1 }],
    });
  });

  test('is not begun for a file that is not there', async () => {
    const folder = newFolder();
    const ended = await runProgram(['volume', 'create', folder, '--volume', '1', '/nonexistent']);
    expect(ended.status).toBe(1);
    expect((await runProgram(['volume', 'inspect', folder])).stderr).toContain('holds no volume');
  });

  test.each([
    ['--volume', '4294967296'],
    ['--volume', '1', '--ttl', '256d'],
    ['--volume', '1', '--ttl', '5s'],
    ['--volume', '1', '--volume-version', '4'],
    ['--volume', '1', '--size', '4k'],
    [],
  ])('%s %s %s %s is a usage error', async (...args) => {
    expect((await runProgram(['volume', 'create', newFolder(), ...args])).status).toBe(2);
  });
});

describe('damage', () => {
  test('a flipped bit is found, with its needle and place', async () => {
    const folder = newFolder();
    await create(folder, '--volume', '1', '--needles', '3', '--size', '1KiB');
    const file = join(folder, '1.dat');
    const middle = 8 + 1500;
    const byte = readFileSync(file)[middle] ?? 0;
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.from([byte ^ 1]), 0, 1, middle);
    closeSync(descriptor);
    expect(await look('verify', folder)).toMatchObject({
      status: 1,
      ok: false,
      volumes: [{ needlesChecked: 3, problemCount: 1, problems: [{ needleId: '2' }] }],
    });
    const { status, stdout } = await runProgram(['volume', 'verify', folder]);
    expect(status).toBe(1);
    expect(stdout).toContain('needle 2 at ');
  });

  test('a file that was cut off is found', async () => {
    const folder = newFolder();
    await create(folder, '--volume', '1', '--needles', '3', '--size', '1KiB');
    truncateSync(join(folder, '1.dat'), 2000);
    expect(await look('verify', folder)).toMatchObject({ status: 1, ok: false });
    expect(await look('inspect', folder)).toMatchObject({ status: 1, ok: false });
  });

  test('one broken volume does not hide the others', async () => {
    const folder = newFolder();
    await create(folder, '--volume', '1', '--needles', '1');
    await create(folder, '--volume', '2', '--needles', '1');
    truncateSync(join(folder, '1.dat'), 3);
    const looked = await look('verify', folder);
    expect(looked.status).toBe(1);
    expect(looked.volumes).toMatchObject([
      { volumeId: 1, problemCount: 1 },
      { volumeId: 2, problemCount: 0 },
    ]);
  });
});

test('volumes of a real server are sound', async () => {
  const looked = await look('verify', join(fixtures, 'main'));
  expect(looked).toMatchObject({ status: 0, ok: true });
  expect(looked.volumes.map((volume) => volume['volumeId'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
