/**
 * A proxy with two rails to its target over verbs: two cables, each between two RoCE devices. Clients read without end while
 * one loses packets. It is not pulled: once its network device was down, rdma_rxe of Linux 6.1 carries no session again, one of
 * new processes neither. Emulated processors answer ten times later than real ones, so no time is judged here:
 * test/integration/rails.test.ts does over TCP.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createVolume } from '../../../src/rdma/volume-files.ts';
import { cookie, get, RailStage, volumeId } from '../../integration/rails-stage.ts';
import { scratchFolder } from '../../integration/scratch.ts';
import { counted } from '../device-counters.ts';
import { type Cable, type Cables, makeCables } from './cables.ts';

const scratch = scratchFolder();
const needles = [1_000, 4_096, 65_536, 262_144].map((size) => randomBytes(size));
const patience = ['handshake_timeout = "60s"'];
const transport = ['transport = "ucx"', 'tls = "rc"'];
let cables: Cables;
let stage: RailStage;

beforeAll(async () => {
  using volume = createVolume({ dir: scratch.folder, volumeId });
  for (const [index, data] of needles.entries()) {
    volume.append({ needleId: BigInt(index + 1), cookie, data });
  }
  cables = makeCables('left', 'right');
  const { list } = cables;
  const listed = (words: readonly string[]): string => JSON.stringify(words);
  stage = await RailStage.start(
    {
      rails: { onProxy: ['env'], onTarget: ['env'] },
      scratch,
      needles,
      patienceMs: 120_000,
      target: [
        ...transport,
        ...patience,
        `device_name = ${listed(list.map(({ far }) => `${far}:1`))}`,
      ],
      proxy: [
        ...transport,
        ...patience,
        `device_name = ${listed(list.map(({ near }) => `${near}:1`))}`,
        `target = ${listed(list.map(({ farAddress }) => `${farAddress}:18515`))}`,
        'timeout = "60s"',
        'connect_timeout = "15s"',
        'rail_timeout = "2s"',
      ],
    },
    2,
  );
}, 400_000);

afterAll(async () => {
  await stage?.end();
  cables?.remove();
}, 120_000);

function packetsOf({ near, far }: Cable): number {
  return counted(near, 'sent_pkts') + counted(far, 'sent_pkts');
}

/** Packets of each cable, and reads, within some time. */
async function traffic(
  ms: number,
): Promise<{ readonly packets: readonly number[]; readonly reads: number }> {
  const before = cables.list.map(packetsOf);
  const { reads, failed } = await stage.load.during(ms);
  expect(failed).toEqual([]);
  return { reads, packets: cables.list.map((cable, at) => packetsOf(cable) - (before[at] ?? 0)) };
}

/** Requests that left a rail for the other one. */
async function movedRequests(): Promise<number> {
  const { body } = await get(join(scratch.folder, 'admin.sock'), '/stats');
  const { targets } = JSON.parse(body.toString('utf8')) as {
    readonly targets: readonly { readonly rails: readonly { readonly sentAgain: number }[] }[];
  };
  return targets.flatMap(({ rails }) => rails).reduce((sum, each) => sum + each.sentAgain, 0);
}

test('both cables carry reads', async () => {
  const { packets, reads } = await traffic(5_000);
  expect(reads).toBeGreaterThan(10);
  for (const count of packets) expect(count).toBeGreaterThan(reads / 4);
});

test('a cable that loses all costs no read, and is used again afterwards', async () => {
  const [cable] = cables.list as [Cable];
  const lost = stage.linesOf('rail-down');
  const moved = await movedRequests();
  cables.lose(cable, 100);
  expect((await stage.load.during(10_000)).failed).toEqual([]);
  await expect.poll(() => stage.linesOf('rail-down'), { timeout: 60_000 }).toBeGreaterThan(lost);
  // UCX would bring the answers as well, when the cable is whole again.
  expect(await movedRequests()).toBeGreaterThan(moved);
  const without = await traffic(5_000);
  expect(without.reads).toBeGreaterThan(10);
  cables.lose(cable, 0);
  await stage.untilUp(2);
  const comesBack = async (): Promise<number> => (await traffic(2_000)).packets[0] ?? 0;
  await expect.poll(comesBack, { timeout: 60_000 }).toBeGreaterThan(20);
}, 300_000);

test('a cable that loses a third costs no read', async () => {
  const [cable] = cables.list as [Cable];
  cables.lose(cable, 33);
  const { reads, failed } = await stage.load.during(15_000);
  cables.lose(cable, 0);
  expect(failed).toEqual([]);
  expect(reads).toBeGreaterThan(10);
  await stage.untilUp(2);
}, 300_000);
