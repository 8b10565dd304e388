/** What only the client without UCX has: confirmation by its own process, and simulated latency. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RdmaMisuseError } from '../../src/rdma/errors.ts';
import {
  createRdmaClient,
  type InprocClientOptions,
  type RdmaClient,
} from '../../src/rdma/rdma-client.ts';
import { SampleVolume } from './sample-volume.ts';
import { when, whenServed } from './subjects.ts';

const volumeId = 3;
const command = {
  volumeId,
  needleId: 1n,
  cookie: 1,
  offset: 0,
  length: 1_000,
  wholeBytesMax: 1_000,
  budgetBytes: 1_000,
  metadataOnly: false,
  timeoutMs: 5_000,
};

let dir: string;
let volume: SampleVolume;
let client: RdmaClient;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-inproc-'));
  volume = new SampleVolume(dir, volumeId);
  volume.put(1n, Buffer.alloc(1_000, 5));
});

afterEach(async () => {
  await client.close();
  volume.close();
  rmSync(dir, { recursive: true });
});

function open(change: Partial<InprocClientOptions>): RdmaClient {
  client = createRdmaClient({
    kind: 'inproc',
    dirs: [dir],
    unconfirmed: true,
    arenaBytes: 16 * 1024 * 1024,
    hugepages: 'off',
    ...change,
  });
  return client;
}

it('serves a volume only while it is confirmed', async () => {
  const fetcher = open({ unconfirmed: false, confirmIntervalMs: 200 }).inproc();
  await when(fetcher, () => fetcher.volumes.has(volumeId));
  expect(await fetcher.read(command)).toEqual({ kind: 'failed', status: 'volume_unconfirmed' });
  const row = { volumeId, sizeBytes: 1_100, fileCount: 1, modifiedAtSeconds: 1_700_000_000 };
  const confirming = setInterval(() => client.confirm(0, [row]), 50);
  await whenServed(fetcher, volumeId);
  const result = await fetcher.read(command);
  clearInterval(confirming);
  expect(result.kind).toBe('needle');
  if (result.kind === 'needle') result.data?.lease.release();
  expect(client.engineStats()).toMatchObject({ volumesLoaded: 1, needles: 1 });
  await when(fetcher, () => fetcher.volumes.get(volumeId)?.confirmed === false);
});

it('holds answers back by the simulated latency', async () => {
  const fetcher = open({ simulatedLatencyUs: 30_000 }).inproc();
  await whenServed(fetcher, volumeId);
  const startedAt = performance.now();
  const result = await fetcher.read(command);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(30);
  if (result.kind === 'needle') result.data?.lease.release();
});

it('is one fetcher, and has no targets to add', () => {
  const { inproc } = open({});
  expect(inproc.call(client)).toBe(client.inproc());
  const address = { host: '127.0.0.1', port: 1, secret: '', connectTimeoutMs: 1_000 };
  expect(() => client.addTarget(address)).toThrow(RdmaMisuseError);
});
