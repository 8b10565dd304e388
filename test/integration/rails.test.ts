/**
 * A proxy with two rails to its target, over cables that are pulled, lossy or slow while clients read. Reads that the fabric
 * does not serve are errors here (mode = "require").
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { clients, cookie, RailStage, volumeId } from './rails-stage.ts';
import { scratchFolder } from './scratch.ts';
import { makeTwoRails, type TwoRails } from './two-rails.ts';

const made = loadBinding().hasUcx ? makeTwoRails() : 'without the native part';
const isPossible = typeof made !== 'string';
const rails = made as TwoRails;
const scratch = scratchFolder();
const needles = [1_000, 4_096, 20_000, 65_536, 262_144].map((size) => randomBytes(size));

const ucx = ['transport = "ucx"', 'tls = "tcp"', 'ucx_tcp_trusted_network = true'];
const devices = 'device_name = ["cable1", "cable2"]';
const targets = 'target = ["10.213.78.2:18515", "10.213.79.2:18515"]';
/** Lines of [rdma] for each transport. */
const stages = {
  'our TCP': { target: ['transport = "tcp"'], proxy: ['transport = "tcp"', devices, targets] },
  UCX: { target: [...ucx, devices], proxy: [...ucx, devices, targets] },
} as const;

beforeAll(() => {
  using volume = createVolume({ dir: scratch.folder, volumeId });
  for (const [index, data] of needles.entries()) {
    volume.append({ needleId: BigInt(index + 1), cookie, data });
  }
});

afterAll(() => {
  if (isPossible) rails.remove();
});

describe.skipIf(!isPossible).each(Object.keys(stages) as (keyof typeof stages)[])(
  'two rails over %s (need network namespaces, nft and tc)',
  (name) => {
    const cable = isPossible ? rails.cables[0] : (undefined as never);
    let stage: RailStage;

    beforeAll(async () => {
      stage = await RailStage.start({ rails, scratch, needles, ...stages[name] }, 2);
    });

    afterAll(() => stage?.end());

    test('a cable that is pulled delays each client once at most', async () => {
      const delayed: number[] = [];
      // Other work of the machine delays reads as well: the best of three counts.
      while (delayed.length < 3 && !delayed.some((count) => count <= clients)) {
        await stage.untilUp(2);
        rails.setLink(cable, 'down');
        const { failed, slow } = await stage.load.during(1_000);
        rails.setLink(cable, 'up');
        expect(failed).toEqual([]);
        delayed.push(slow);
      }
      expect(Math.min(...delayed)).toBeLessThanOrEqual(clients);
    });

    test.each([
      ['that is pulled', () => rails.setLink(cable, 'down'), () => rails.setLink(cable, 'up')],
      ['that loses a third', () => rails.loseOn(cable, 33), () => rails.loseOn(cable, 0)],
      ['that is slow', () => rails.slow(cable, 1_000), () => rails.slow(cable, undefined)],
    ] as const)(
      'a cable %s costs no read, a few 250 ms, and no throughput',
      async (_, breakIt, mend) => {
        const { load } = stage;
        await stage.untilUp(2);
        const before = await load.during(1_000);
        expect(before.failed).toEqual([]);
        const ejections = stage.linesOf('rail-down');
        breakIt();
        const at = await load.during(2_500);
        const later = await load.untilReads(before.reads / 2);
        mend();
        const mended = await load.during(1_000);
        await stage.untilUp(2);
        const after = await load.untilReads(before.reads / 2);
        for (const { failed } of [at, later, mended, after]) expect(failed).toEqual([]);
        expect(stage.linesOf('rail-down')).toBeGreaterThan(ejections);
        // On a machine that is not busy there is none.
        for (const { late, reads } of [at, mended]) expect(late).toBeLessThanOrEqual(reads / 50);
      },
    );
  },
);

test.skipIf(!isPossible)(
  'four connections read more in a second where the network holds each to less than it has',
  async () => {
    const [, cable] = rails.cables;
    const readsWith = async (count: number): Promise<number> => {
      const place = [`target = "${cable.targetAddress}:18515"`, `connections = ${count}`];
      const { target } = stages['our TCP'];
      const proxy = ['transport = "tcp"', ...place];
      // A single one is no rail.
      const railCount = count === 1 ? 0 : count;
      const stage = await RailStage.start({ rails, scratch, needles, target, proxy }, railCount);
      try {
        const { failed, reads } = await stage.load.during(3_000);
        expect(failed).toEqual([]);
        return reads;
      } finally {
        await stage.end();
      }
    };
    rails.slowEach(cable, 200_000);
    try {
      expect(await readsWith(4)).toBeGreaterThan(1.5 * (await readsWith(1)));
    } finally {
      rails.slow(cable, undefined);
    }
  },
);

test.skipIf(!isPossible)(
  'with fallback_tcp no read fails where UCX gets no packet through, and UCX is used again when it does',
  async () => {
    const place = ['device_name = "cable1"', 'target = "10.213.78.2:18515"', 'fallback_tcp = true'];
    const target = [...ucx, 'device_name = "cable1"'];
    const parts = { rails, scratch, needles, target, proxy: [...ucx, ...place] };
    const stage = await RailStage.start(parts, 2);
    try {
      const { load, proxy } = stage;
      rails.leavePortAlone(18_515);
      const at = await load.during(3_000);
      expect(at.failed).toEqual([]);
      expect(at.reads).toBeGreaterThan(clients);
      expect(proxy.lines).toContainEqual(
        expect.objectContaining({ event: 'rail-down', rail: 'ucx' }),
      );
      rails.leavePortAlone(undefined);
      await stage.untilUp(2);
      expect((await load.during(1_000)).failed).toEqual([]);
    } finally {
      rails.leavePortAlone(undefined);
      await stage.end();
    }
  },
);
