/** The typed client and its targets: several, lost ones, wrong ones; connect() and what it refuses. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { NeedleClient } from '../../src/client/needle-client.ts';
import { NeedleReadError, TargetsUnreachableError } from '../../src/client/read-error.ts';
import type { TargetHost } from '../../src/rdma/target-host.ts';
import { freePorts } from '../free-ports.ts';
import {
  bytesOf,
  secret,
  startHost,
  targetOptions,
  tcp,
  VolumeFolder,
  volumeId,
  whenClient,
} from './client-rig.ts';

const needle = { volumeId, needleId: 1n, cookie: 1 };
const data = bytesOf(100_000, 1);

const folders: VolumeFolder[] = [];
const hosts: TargetHost[] = [];
const clients: NeedleClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) {
    await client.close();
    expect(client.stats()).toMatchObject({ leasesOutstanding: 0, leaseLeaks: 0 });
  }
  await Promise.all(hosts.splice(0).map((host) => host.stop(1_000)));
  for (const folder of folders.splice(0)) folder.remove();
});

function folderWith(id: number, bytes: Uint8Array): VolumeFolder {
  const folder = new VolumeFolder(id);
  folder.put(1n, bytes);
  folders.push(folder);
  return folder;
}

async function host(dir: string, port = 0): Promise<TargetHost> {
  const started = await startHost(dir, tcp, port);
  hosts.push(started);
  return started;
}

async function client(options: Parameters<typeof connect>[0]): Promise<NeedleClient> {
  const opened = await connect(options);
  clients.push(opened);
  return opened;
}

/** What is read, released; or the status. */
async function readFrom(from: NeedleClient, id = volumeId): Promise<string> {
  try {
    using content = await from.readNeedle({ ...needle, volumeId: id });
    return `${content.target} ${Buffer.from(content.bytes).equals(data)}`;
  } catch (error) {
    if (error instanceof NeedleReadError) return error.status;
    throw error;
  }
}

describe('several targets', () => {
  it('each volume is read from the target that announces it', async () => {
    const first = await host(folderWith(volumeId, data).dir);
    const second = await host(folderWith(8, data).dir);
    const both = await client(targetOptions([first, second], tcp));
    expect(await readFrom(both, volumeId)).toBe(`${first.address} true`);
    expect(await readFrom(both, 8)).toBe(`${second.address} true`);
    expect(await readFrom(both, 9)).toBe('unknown_volume');
    expect(both.volumes().map(({ volumeId: id, target }) => [id, target])).toEqual([
      [volumeId, first.address],
      [8, second.address],
    ]);
    expect(await both.ping()).toMatchObject([{ ok: true }, { ok: true }]);
  });

  it('a replica takes over when its target goes away, without a failed read', async () => {
    const first = await host(folderWith(volumeId, data).dir);
    const second = await host(folderWith(volumeId, data).dir);
    const both = await client(targetOptions([first, second], tcp));
    await whenClient(both, () => both.volumes().length === 2);
    const outcomes = new Map<string, number>();
    let isOver = false;
    const readers = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        const outcome = await readFrom(both);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    });
    await whenClient(both, () => true);
    while (!outcomes.has(`${first.address} true`)) await readFrom(both);
    await first.stop(1_000);
    await whenClient(both, () => both.targets[0]?.state.kind === 'down');
    const last = await readFrom(both);
    isOver = true;
    await Promise.all(readers);
    expect(last).toBe(`${second.address} true`);
    expect([...outcomes.keys()].toSorted()).toEqual(
      [`${first.address} true`, `${second.address} true`].toSorted(),
    );
  });

  it('a damaged record is read from another replica', async () => {
    const damaged = folderWith(volumeId, data);
    damaged.volume.flipDataByte(1n);
    const first = await host(damaged.dir);
    const second = await host(folderWith(volumeId, data).dir);
    const both = await client(targetOptions([first, second], tcp));
    await whenClient(both, () => both.volumes().length === 2);
    expect(await readFrom(both)).toBe(`${second.address} true`);
  });

  it('a target that comes back is read from again', async () => {
    const [port] = await freePorts(1);
    const { dir } = folderWith(volumeId, data);
    const before = await host(dir, port);
    const one = await client(targetOptions([before], tcp));
    expect(await readFrom(one)).toBe(`${before.address} true`);
    await before.stop(1_000);
    await whenClient(one, () => one.targets[0]?.state.kind === 'down');
    const failed = await one.readNeedle(needle).catch((error: unknown) => error);
    expect(failed).toMatchObject({ status: 'not_connected', retryable: true, fault: 'fabric' });
    const after = await host(dir, port);
    await whenClient(one, () => one.volumes().some(({ confirmed }) => confirmed));
    expect(await readFrom(one)).toBe(`${after.address} true`);
  });
});

describe('connect', () => {
  it('is content with the target that answers', async () => {
    const [nobody] = await freePorts(1);
    const there = await host(folderWith(volumeId, data).dir);
    const options = targetOptions([there], tcp);
    const one = await client({ ...options, targets: [`127.0.0.1:${nobody}`, ...options.targets] });
    expect(await readFrom(one)).toBe(`${there.address} true`);
    expect(one.targets.map(({ state }) => state.kind)).toContain('up');
  });

  it('names every target that it could not reach, within its time', async () => {
    const [nobody] = await freePorts(1);
    const options = { ...targetOptions([], tcp), targets: [`127.0.0.1:${nobody}`] };
    const failed = await connect({ ...options, connectTimeoutMs: 300 }).catch((error) => error);
    expect(failed).toBeInstanceOf(TargetsUnreachableError);
    expect(failed.targets).toMatchObject([{ address: `127.0.0.1:${nobody}` }]);
  });

  it('says at once that the secret is wrong', async () => {
    const there = await host(folderWith(volumeId, data).dir);
    const options = { ...targetOptions([there], tcp), secret: 'another', connectTimeoutMs: 60_000 };
    await expect(connect(options)).rejects.toThrow(/unauthorized/);
  });

  it('ends with its signal, before and during', async () => {
    const [nobody] = await freePorts(1);
    const options = { ...targetOptions([], tcp), targets: [`127.0.0.1:${nobody}`] };
    const reason = new Error('changed my mind');
    const aborted = AbortSignal.abort(reason);
    await expect(connect({ ...options, signal: aborted })).rejects.toBe(reason);
    const controller = new AbortController();
    const connecting = connect({ ...options, signal: controller.signal, connectTimeoutMs: 60_000 });
    controller.abort(reason);
    await expect(connecting).rejects.toBe(reason);
  });

  it('takes targets, secret and transport from a proxy.toml, and a secret from a file', async () => {
    const folder = folderWith(volumeId, data);
    const there = await host(folder.dir);
    const secretFile = join(folder.dir, 'secret');
    writeFileSync(secretFile, `${secret}\n`, { mode: 0o600 });
    const file = join(folder.dir, 'proxy.toml');
    writeFileSync(
      file,
      `[rdma]\ntarget = "${there.address}"\nsecret_file = "${secretFile}"\ndevice_name = "lo"\ntls = "${tcp}"\nconnect_timeout = "10s"\n[memory]\nsize = "8MiB"\n`,
    );
    const byFile = await client({ config: file });
    expect(await readFrom(byFile)).toBe(`${there.address} true`);
    expect(byFile.stats().arenaBytesTotal).toBe(8 * 2 ** 20);
    const { secret: _, ...options } = targetOptions([there], tcp);
    expect(await readFrom(await client({ ...options, secretFile }))).toBe(`${there.address} true`);
  });

  it('works in a worker thread', async () => {
    const { dir } = folderWith(volumeId, data);
    const there = await host(dir);
    const { href } = new URL('./client-worker.ts', import.meta.url);
    const worker = new Worker(new URL(href), {
      workerData: { ...targetOptions([there], tcp), needle },
    });
    // A busy machine tells of both in one turn.
    const hasExited = once(worker, 'exit');
    const [message] = (await once(worker, 'message')) as [{ bytes: Uint8Array; leases: number }];
    expect(Buffer.from(message.bytes).equals(data)).toBe(true);
    expect(message.leases).toBe(0);
    await hasExited;
  });
});

describe('waiting for a target', () => {
  it('a read that is aborted while it waits, or whose client is closed, ends at once', async () => {
    const there = await host(folderWith(volumeId, data).dir);
    const one = await client(targetOptions([there], tcp));
    expect(await readFrom(one)).toBe(`${there.address} true`);
    // Not announced: for its first second a target may yet do so.
    const unknown = { ...needle, volumeId: 99 };
    const controller = new AbortController();
    const waiting = one.readNeedle({ ...unknown, signal: controller.signal });
    controller.abort();
    await expect(waiting).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    const other = one.readNeedle(unknown).catch((error: unknown) => error);
    await one.close();
    expect(await other).toMatchObject({ status: 'closed' });
  });
});
