/** What a mount reads over the sidecar of a real proxy, compared with what lies in the volume. */
import { once } from 'node:events';
import { request } from 'node:http';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { formatFid } from '../../src/rdma/volume-files.ts';
import { scratchFolder } from './scratch.ts';
import {
  ask,
  cookie,
  metrics,
  mountRead,
  type NeedleName,
  type SidecarStage,
  startSidecarStage,
  sumOf,
  volumeId,
} from './sidecar-stage.ts';

const scratch = scratchFolder();

describe('a sidecar over inproc', () => suite('inproc'));
describe.skipIf(!loadBinding().hasUcx)('a sidecar over ucx', () => suite('ucx'));

function suite(transport: 'inproc' | 'ucx'): void {
  let stage: SidecarStage;
  beforeAll(async () => {
    stage = await startSidecarStage(scratch, { transport });
  }, 60_000);

  /** Fetches of needles from the volume so far. */
  async function fetches(): Promise<number> {
    return sumOf(await metrics(stage.admin), 'rdma_operations_total');
  }

  test('gives exactly the bytes of a range, decoded', async () => {
    const names: readonly NeedleName[] = ['small', 'plain', 'gzip', 'large'];
    for (const name of names) {
      const { fid, bytes } = stage.needles[name];
      const last = bytes.length - 1;
      const ranges = [
        [0, bytes.length],
        [0, 1],
        [last, 1],
        [Math.floor(bytes.length / 3), Math.min(131_072, Math.floor(bytes.length / 2))],
      ] as const;
      for (const [offset, size] of ranges) {
        const answer = await mountRead(stage, fid, offset, size);
        expect([name, offset, size, answer.status]).toEqual([name, offset, size, 200]);
        expect(answer.body.equals(bytes.subarray(offset, offset + size))).toBe(true);
        expect(answer.headers).toMatchObject({
          'x-rdma-used': 'true',
          'content-type': 'application/octet-stream',
          'content-length': String(size),
          'x-needle-size': String(bytes.length),
        });
        expect(['cache', 'rdma']).toContain(answer.headers['x-source']);
      }
    }
  });

  test('gives any range as the volume has it, whatever its end', async () => {
    const range = fc.record({
      name: fc.constantFrom<NeedleName>('small', 'plain', 'gzip', 'large'),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      size: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 20 })),
    });
    await fc.assert(
      fc.asyncProperty(range, async ({ name, at, size }) => {
        const { fid, bytes } = stage.needles[name];
        const offset = Math.floor(at * bytes.length);
        const answer = await mountRead(stage, fid, offset, size);
        const end = size === 0 ? bytes.length : offset + size;
        expect(answer.status).toBe(200);
        expect(answer.body.equals(bytes.subarray(offset, end))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test('fetches a needle once, however many ranges are asked for', async () => {
    const fresh = await startSidecarStage(scratch, { transport });
    const before = sumOf(await metrics(fresh.admin), 'rdma_operations_total');
    const { fid, bytes } = fresh.needles.large;
    const step = 65_536;
    for (let offset = 0; offset < bytes.length; offset += step) {
      const answer = await mountRead(fresh, fid, offset, step);
      expect(answer.body.equals(bytes.subarray(offset, offset + step))).toBe(true);
      expect(answer.headers['x-source']).toBe(offset === 0 ? 'rdma' : 'cache');
    }
    const gzip = fresh.needles.gzip;
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => mountRead(fresh, gzip.fid, index * 1000, 999)),
    );
    expect(sumOf(await metrics(fresh.admin), 'rdma_operations_total') - before).toBe(2);
    expect(await fresh.proxy.stop()).toBe(0);
  }, 30_000);

  test('takes a needle by its numbers, and a file id in every form', async () => {
    const { bytes, fid } = stage.needles.small;
    const [, idAndCookie = ''] = fid.split(',');
    const base = formatFid(volumeId, 0n, cookie);
    const forms = [
      `file_id=${fid}`,
      `file_id=${encodeURIComponent(fid)}`,
      `file_id=${fid}.jpg`,
      `file_id=${base}_1`,
      `file_id=${volumeId},${idAndCookie.toUpperCase()}`,
      `volume=${volumeId}&needle=1&cookie=${cookie}`,
      `volume=0x3&needle=0x1&cookie=0x${cookie.toString(16)}`,
    ];
    for (const form of forms) {
      const answer = await ask(stage.sidecar, `/read?${form}`);
      expect([form, answer.status]).toEqual([form, 200]);
      expect(answer.body.equals(bytes)).toBe(true);
    }
    const posted = await ask(stage.sidecar, '/rdma/read', {
      method: 'POST',
      body: JSON.stringify({ volume_id: volumeId, needle_id: 1, cookie, offset: 2, size: 3 }),
    });
    expect([posted.status, posted.body]).toEqual([200, bytes.subarray(2, 5)]);
  });

  test('says what it is where JSON is asked for, and only there', async () => {
    const { fid, bytes } = stage.needles.small;
    const path = `/read?file_id=${fid}&offset=2&size=4`;
    for (const [url, accept] of [
      [`${path}&format=json`, '*/*'],
      [path, 'application/json'],
    ] as const) {
      const answer = await ask(stage.sidecar, url, { headers: { accept } });
      expect(answer.headers['content-type']).toBe('application/json');
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        success: true,
        is_rdma: true,
        data_size: 4,
        data_preview: bytes.subarray(2, 6).toString('hex'),
        use_temp_file: false,
        temp_file: '',
        needle_size: 10,
      });
    }
    const head = await ask(stage.sidecar, path, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '4', 0]);
  });

  test('passes on what the volume server says of the rest', async () => {
    const { needles } = stage;
    const elsewhere = formatFid(volumeId, 1n, cookie + 1);
    const cases = [
      [needles.deleted.fid, 404, /volume server says 404/],
      [formatFid(volumeId, 77n, cookie), 404, /volume server says 404/],
      [elsewhere, 404, /volume server says 404/],
      [formatFid(9, 1n, cookie), 404, /volume server says 404/],
    ] as const;
    for (const [fid, status, text] of cases) {
      const answer = await mountRead(stage, fid, 0, 10);
      expect([fid, answer.status]).toEqual([fid, status]);
      expect(answer.headers['content-type']).toMatch(/^text\/plain/);
      expect(answer.body.toString()).toMatch(text);
    }
    const empty = await mountRead(stage, needles.empty.fid);
    expect([empty.status, empty.body.length]).toEqual([200, 0]);
    expect(empty.headers).toMatchObject({
      'x-rdma-used': 'false',
      'x-source': 'http',
      'x-fallback-reason': 'cookie',
    });
  });

  test('refuses a range past the end, and gives the rest of one that crosses it', async () => {
    const { fid, bytes } = stage.needles.plain;
    const beyond = await mountRead(stage, fid, bytes.length, 1);
    expect([beyond.status, beyond.headers['content-range']]).toEqual([
      416,
      `bytes */${bytes.length}`,
    ]);
    expect(beyond.body.toString()).toMatch(/"offset": 700001 is past the end of the needle/);
    expect((await mountRead(stage, fid, 2 ** 41, 1)).status).toBe(416);
    const crossing = await mountRead(stage, fid, bytes.length - 5, 4096);
    expect([crossing.status, crossing.body]).toEqual([200, bytes.subarray(-5)]);
    const huge = await ask(
      stage.sidecar,
      `/read?file_id=${fid}&offset=10&size=18446744073709551615`,
    );
    expect([huge.status, huge.body.length]).toEqual([200, bytes.length - 10]);
  });

  test('leaves a read to the mount that was cut at the end of a chunk, and gives its bytes all the same', async () => {
    const { fid, bytes } = stage.needles.chunk;
    const whole = await mountRead(stage, fid, bytes.length - 262_144, 131_072);
    expect(whole.headers['x-rdma-used']).toBe('true');
    const cut = await mountRead(stage, fid, bytes.length - 16_384, 16_384);
    expect(cut.body.equals(bytes.subarray(-16_384))).toBe(true);
    expect(cut.headers).toMatchObject({
      'x-rdma-used': 'false',
      'x-source': 'declined',
      'x-fallback-reason': 'needle-end',
    });
    const values = await metrics(stage.admin);
    const name = 'seaweed_rdma_sidecar_requests_total';
    expect(sumOf(values, name, 'outcome="declined",reason="needle-end"')).toBe(1);
  });

  test("refuses a list of chunks, which a mount would take for a file's bytes", async () => {
    const { fid } = stage.needles.list;
    for (const offset of [0, 4096]) {
      const answer = await mountRead(stage, fid, offset, 4096);
      expect([answer.status, answer.body.toString()]).toEqual([
        422,
        expect.stringMatching(/list of a large file's chunks/),
      ]);
    }
  });

  test('gives every lease back, to clients that go away in the middle too', async () => {
    // Without a cache every answer holds a lease of its own.
    const fresh = await startSidecarStage(scratch, { transport, sections: '[cache]\nsize = "0B"' });
    const { large, plain, deleted, list } = fresh.needles;
    for (const { fid } of [large, plain, deleted, list]) {
      await mountRead(fresh, fid, 0, 1000);
      await mountRead(fresh, fid, 2 ** 30, 1);
      await ask(fresh.sidecar, `/read?file_id=${fid}&format=json`);
      await ask(fresh.sidecar, `/read?file_id=${fid}`, { method: 'HEAD' });
      await ask(fresh.sidecar, `/benchmark?file_id=${fid}&iterations=2`);
    }
    for (let i = 0; i < 8; i += 1) {
      const asked = request(`${fresh.sidecar}/read?file_id=${large.fid}`, { agent: false });
      asked.end();
      const [answer] = (await once(asked, 'response')) as [NodeJS.ReadableStream];
      answer.once('data', () => asked.destroy());
      await once(asked, 'close');
    }
    const of = async (name: string): Promise<number> => sumOf(await metrics(fresh.admin), name);
    const inFlight = (): Promise<number> => of('seaweed_rdma_sidecar_requests_in_flight');
    await expect.poll(inFlight, { timeout: 5_000 }).toBe(0);
    expect(await of('rdma_operations_total')).toBeGreaterThan(20);
    expect(await of('seaweed_rdma_leases_outstanding')).toBe(0);
    expect(await of('seaweed_rdma_lease_leaks_total')).toBe(0);
    expect(await of('seaweed_rdma_sidecar_in_flight_bytes')).toBe(0);
    const requests = await metrics(fresh.admin);
    const name = 'seaweed_rdma_sidecar_requests_total';
    const aborted = sumOf(requests, name, 'outcome="aborted"');
    expect(aborted).toBeGreaterThan(0);
    expect(aborted).toBeLessThanOrEqual(8);
    expect(await fresh.proxy.stop()).toBe(0);
  }, 30_000);

  test('counts every request once, and in no counter of the HTTP listener', async () => {
    const name = 'seaweed_rdma_sidecar_requests_total';
    const before = await metrics(stage.admin);
    const { small, deleted, empty } = stage.needles;
    await mountRead(stage, small.fid);
    await mountRead(stage, deleted.fid);
    await mountRead(stage, empty.fid);
    await mountRead(stage, 'nonsense');
    await ask(stage.sidecar, '/health');
    await ask(stage.sidecar, '/nowhere');
    await ask(stage.sidecar, '/read', { method: 'PUT' });
    const after = await metrics(stage.admin);
    const grown = (label: string): number => sumOf(after, name, label) - sumOf(before, name, label);
    expect(grown('')).toBe(7);
    expect(grown('path="read",outcome="cache"') + grown('path="read",outcome="rdma"')).toBe(1);
    expect(grown('outcome="http",reason="cookie"')).toBe(1);
    expect(grown('outcome="refused",reason="not-found"')).toBe(1);
    expect(grown('outcome="refused",reason="parameter"')).toBe(1);
    expect(grown('path="other",outcome="refused",reason="path"')).toBe(1);
    expect(grown('path="read",outcome="refused",reason="method"')).toBe(1);
    expect(grown('path="health",outcome="ok"')).toBe(1);
    expect(sumOf(after, 'seaweed_rdma_requests_total')).toBe(0);
    const durations = 'seaweed_rdma_sidecar_request_duration_seconds_count';
    expect(sumOf(after, durations)).toBe(sumOf(after, name));
    expect(await fetches()).toBeGreaterThan(0);
  });
}
