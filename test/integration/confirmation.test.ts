/** The confirmation poller against servers that answer well, badly, late and not at all. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServedVolume } from '../../src/rdma/target-host.ts';
import {
  asksPerSecondMax,
  type Confirmation,
  startConfirmation,
} from '../../src/volume-server/confirmation.ts';
import { type ListedVolume, servedVolumes } from '../../src/volume-server/served-volumes.ts';

/** As a volume server of SeaweedFS 4.44 answers. */
const realBody =
  '{"DiskStatuses":[{"dir":"/data","all":270553174016,"used":190169022464,"free":80384151552,"percent_free":29.7,"percent_used":70.2}],"Version":"30GB 4.44 ","Volumes":[' +
  '{"Collection":"","DiskType":"","RemoteStorageName":"","ReplicaPlacement":{},"Ttl":{"Count":0,"Unit":0},"Size":5356133,"DeletedByteCount":1102767,"ModifiedAtSecond":1795377604,"Id":1,"DiskId":0,"CompactRevision":0,"FileCount":86,"DeleteCount":9,"Version":3,"ReadOnly":false},' +
  '{"Collection":"c","DiskType":"","RemoteStorageName":"","ReplicaPlacement":{},"Ttl":{"Count":0,"Unit":0},"Size":0,"DeletedByteCount":0,"ModifiedAtSecond":0,"Id":4294967295,"DiskId":0,"CompactRevision":2,"FileCount":0,"DeleteCount":1,"Version":3,"ReadOnly":true}]}';

const realVolumes: readonly ListedVolume[] = [
  {
    volumeId: 1,
    sizeBytes: 5356133,
    fileCount: 86,
    modifiedAtSeconds: 1795377604,
    isTiered: false,
  },
  { volumeId: 4294967295, sizeBytes: 0, fileCount: 0, modifiedAtSeconds: 0, isTiered: false },
];

const read = (body: string): ReturnType<typeof servedVolumes> => servedVolumes(Buffer.from(body));

describe('the body of /status', () => {
  test('of a real server gives its volumes', async () => {
    expect(await read(realBody)).toEqual({
      kind: 'served',
      volumes: realVolumes,
      dirs: ['/data'],
    });
  });

  test('of a server without volumes is an empty list', async () => {
    expect(await read('{"Volumes":null}')).toEqual({ kind: 'served', volumes: [], dirs: [] });
  });

  test('tells a volume of a remote tier', async () => {
    const tiered = realBody.replace('"RemoteStorageName":""', '"RemoteStorageName":"s3.default"');
    const status = await read(tiered);
    expect(status.kind === 'served' && status.volumes.map(({ isTiered }) => isTiered)).toEqual([
      true,
      false,
    ]);
  });

  test.each([
    '{"DiskStatuses":{},"Volumes":null}',
    '{"DiskStatuses":[1,{"dir":2}],"Volumes":null}',
  ])('%s has no directories', async (body) => {
    expect(await read(body)).toEqual({ kind: 'served', volumes: [], dirs: [] });
  });

  test.each([
    ['', 'not a JSON object'],
    ['[]', 'not a JSON object'],
    ['{}', 'no "Volumes"'],
    ['{"Volumes":{}}', 'not a list'],
    ['{"Volumes":[1]}', 'volume 0'],
    ['{"Volumes":[{"Id":1,"Size":1,"FileCount":1}]}', 'volume 0'],
    ['{"Volumes":[{"Id":4294967296,"Size":1,"FileCount":1,"ModifiedAtSecond":1}]}', 'volume 0'],
    ['{"Volumes":[{"Id":1,"Size":-1,"FileCount":1,"ModifiedAtSecond":1}]}', 'volume 0'],
    ['{"Volumes":[{"Id":1.5,"Size":1,"FileCount":1,"ModifiedAtSecond":1}]}', 'volume 0'],
    ['{"Volumes":[{"Id":"1","Size":1,"FileCount":1,"ModifiedAtSecond":1}]}', 'volume 0'],
  ])('%s confirms nothing', async (body, detail) => {
    expect(await read(body)).toMatchObject({
      kind: 'malformed',
      detail: expect.stringContaining(detail),
    });
  });
});

let server: Server | undefined;
let confirmation: Confirmation | undefined;
afterEach(async () => {
  confirmation?.close();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
  server = undefined;
});

interface Seen {
  readonly served: { readonly startedAgoMs: number; readonly volumes: readonly ServedVolume[] }[];
  readonly changes: { readonly isOk: boolean; readonly detail: string }[];
  /** Resolves when the list has grown to this length. */
  changed(count: number): Promise<void>;
}

async function confirmWith(listener: RequestListener, intervalMs = 20): Promise<Seen> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return confirm(`http://127.0.0.1:${port}`, intervalMs);
}

function confirm(volumeServerUrl: string, intervalMs: number): Seen {
  const waiting: { count: number; resolve: () => void }[] = [];
  const seen: Seen = {
    served: [],
    changes: [],
    changed: (count) =>
      new Promise((resolve) => {
        if (seen.changes.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
  };
  confirmation = startConfirmation({
    volumeServerUrl,
    intervalMs,
    onServed: (startedAgoMs, volumes) => seen.served.push({ startedAgoMs, volumes }),
    onChange(change) {
      seen.changes.push(change);
      for (const { count, resolve } of waiting) if (seen.changes.length >= count) resolve();
    },
  });
  return seen;
}

describe('polling', () => {
  test('hands over what is served and when the poll began', async () => {
    const seen = await confirmWith((request, response) => {
      expect([request.method, request.url]).toEqual(['GET', '/status']);
      setTimeout(() => response.end(realBody), 30);
    });
    await confirmation?.first;
    expect(seen.served[0]?.volumes).toEqual(realVolumes);
    expect(seen.served[0]?.startedAgoMs).toBeGreaterThan(25);
    expect(seen.changes).toEqual([{ isOk: true, detail: 'the volume server lists 2 volumes' }]);
    expect(confirmation?.snapshot()).toMatchObject({
      isOk: true,
      successes: 1,
      failures: 0,
      failure: '',
    });
  });

  test('tells each change once, however often it is seen', async () => {
    let polls = 0;
    const seen = await confirmWith((_request, response) => {
      polls += 1;
      // Three good ones, three refused, then good again.
      response.statusCode = polls > 3 && polls <= 6 ? 500 : 200;
      response.end(realBody);
    }, 10);
    await seen.changed(3);
    expect(seen.changes.map(({ isOk }) => isOk)).toEqual([true, false, true]);
    expect(seen.changes[1]?.detail).toBe('GET /status was answered with 500');
    expect(confirmation?.snapshot().failures).toBe(3);
  });

  test('a server that is not there confirms nothing and throws nothing', async () => {
    const seen = confirm('http://127.0.0.1:9', 20);
    await confirmation?.first;
    expect(seen.served).toEqual([]);
    expect(seen.changes).toEqual([
      { isOk: false, detail: expect.stringContaining('ECONNREFUSED') },
    ]);
    expect(confirmation?.snapshot()).toMatchObject({ isOk: false, ageMs: undefined });
  });

  test('a server that never answers is given up', async () => {
    const seen = await confirmWith(() => undefined);
    await confirmation?.first;
    expect(seen.changes).toEqual([{ isOk: false, detail: 'no answer within 250 ms' }]);
  });

  test('a server that stops in mid-body is given up', async () => {
    const seen = await confirmWith((_request, response) => {
      response.write(realBody.slice(0, 100));
    });
    await confirmation?.first;
    expect(seen.changes).toEqual([{ isOk: false, detail: 'no answer within 250 ms' }]);
  });

  test('an endless body is cut off', async () => {
    const chunk = Buffer.alloc(2 ** 20, ' ');
    const seen = await confirmWith((_request, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(chunk));
        response.once('drain', write);
      };
      write();
    }, 5_000);
    await confirmation?.first;
    expect(seen.changes).toEqual([
      { isOk: false, detail: expect.stringContaining('is over 67108864 bytes') },
    ]);
  });

  test('after close nothing is reported', async () => {
    let answer = (): void => undefined;
    const asked = Promise.withResolvers<void>();
    const seen = await confirmWith((_request, response) => {
      answer = () => void response.end(realBody);
      asked.resolve();
    });
    await asked.promise;
    confirmation?.close();
    answer();
    await confirmation?.first;
    expect([seen.served, seen.changes]).toEqual([[], []]);
  });

  describe('that is asked for', () => {
    const idleMs = 60_000;

    test('begins at once', async () => {
      const second = Promise.withResolvers<void>();
      let polls = 0;
      const seen = await confirmWith((_request, response) => {
        polls += 1;
        response.end(realBody, () => {
          if (polls === 2) second.resolve();
        });
      }, idleMs);
      await confirmation?.first;
      confirmation?.pollSoon();
      await second.promise;
      expect(seen.served.length).toBeGreaterThan(0);
    });

    test('follows one that is under way, which may have begun too early', async () => {
      const polls: ((body: string) => void)[] = [];
      const first = Promise.withResolvers<void>();
      const second = Promise.withResolvers<void>();
      await confirmWith((_request, response) => {
        polls.push((body) => void response.end(body));
        if (polls.length === 1) first.resolve();
        else second.resolve();
      }, idleMs);
      await first.promise;
      confirmation?.pollSoon();
      await pause(150);
      expect(polls.length).toBe(1);
      polls[0]?.(realBody);
      await second.promise;
      polls[1]?.(realBody);
    });

    test('has its turn at most so often, however many ask', async () => {
      let polls = 0;
      await confirmWith((_request, response) => {
        polls += 1;
        response.end(realBody);
      }, idleMs);
      await confirmation?.first;
      const begunAt = performance.now();
      while (performance.now() - begunAt < 1_000) {
        for (let ask = 0; ask < 100; ask += 1) confirmation?.pollSoon();
        await pause(2);
      }
      const seconds = (performance.now() - begunAt) / 1_000;
      expect(polls).toBeGreaterThan(2);
      expect(polls).toBeLessThanOrEqual(Math.ceil(asksPerSecondMax * seconds) + 2);
    });

    test('never begins after close', async () => {
      let polls = 0;
      await confirmWith((_request, response) => {
        polls += 1;
        response.end(realBody);
      }, idleMs);
      await confirmation?.first;
      confirmation?.close();
      confirmation?.pollSoon();
      await pause(250);
      expect(polls).toBe(1);
    });
  });
});
