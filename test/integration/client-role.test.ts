/** The typed client against target roles in processes of their own: over tcp and shared memory, and when one is killed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { NeedleReadError } from '../../src/client/read-error.ts';
import {
  bytesOf,
  sharedMemory,
  tcp,
  VolumeFolder,
  volumeId,
  whenClient,
} from '../contract/client-rig.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const data = bytesOf(300_000, 3);
const needle = { volumeId, needleId: 1n, cookie: 1 };
let folder: VolumeFolder;

beforeAll(() => {
  folder = new VolumeFolder();
  folder.put(1n, data);
});

afterAll(() => {
  folder.remove();
});

let files = 0;
async function startTarget(tls: string): Promise<{ role: Role; address: string }> {
  files += 1;
  const file = scratch.write(
    `target-${files}.toml`,
    `[rdma]
port = 0
device_name = "lo"
tls = "${tls}"
buffer_size = "32MiB"
[target]
dirs = ["${folder.dir}"]
unconfirmed = true
[admin]
listen = "127.0.0.1:0"
`,
  );
  const role = startRole(['target', '--config', file]);
  return { role, address: String((await role.ready())['rdma']) };
}

describe.each([
  ['tcp', tcp],
  ['shared memory', sharedMemory],
])('over %s', (_name, tls) => {
  test('a target that is killed is followed by its replica, and no lease is lost', async () => {
    const first = await startTarget(tls);
    const second = await startTarget(tls);
    const targets = [first.address, second.address];
    const client = await connect({ targets, deviceName: 'lo', tls, memoryBytes: 2 ** 25 });
    await whenClient(client, () => client.volumes().filter((each) => each.confirmed).length === 2);
    const outcomes = new Map<string, number>();
    const count = (outcome: string): void => {
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    };
    let isOver = false;
    const readers = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        try {
          using content = await client.readNeedle(needle);
          count(`${content.target} ${Buffer.from(content.bytes).equals(data)}`);
        } catch (error) {
          if (!(error instanceof NeedleReadError)) throw error;
          count(error.message);
        }
        if ((outcomes.get(`${first.address} true`) ?? 0) === 200) first.role.signal('SIGKILL');
        if ((outcomes.get(`${second.address} true`) ?? 0) === 200) isOver = true;
      }
    });
    await Promise.all(readers);
    expect([...outcomes.keys()]).toEqual([`${first.address} true`, `${second.address} true`]);
    expect(client.targets.map(({ address }) => address)).toEqual(targets);
    await client.close();
    expect(client.stats()).toMatchObject({ leasesOutstanding: 0, leaseLeaks: 0 });
    expect(await second.role.stop()).toBe(0);
  });
});

test('a target that hangs costs one read half its time, and then nothing while it hangs', async () => {
  const first = await startTarget(tcp);
  const second = await startTarget(tcp);
  const targets = [first.address, second.address];
  const options = { targets, deviceName: 'lo', tls: tcp, memoryBytes: 2 ** 25, timeoutMs: 1_000 };
  const client = await connect(options);
  await whenClient(client, () => client.volumes().filter((each) => each.confirmed).length === 2);
  await first.role.freeze();
  const answeredBy = async (): Promise<string> => {
    using content = await client.readNeedle(needle);
    return content.target;
  };
  expect(await answeredBy()).toBe(second.address);
  const startedAtMs = performance.now();
  for (let round = 0; round < 10; round += 1) expect(await answeredBy()).toBe(second.address);
  // Ten reads that each waited half their time would be five seconds.
  expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  await client.close();
  expect(client.stats()).toMatchObject({ leasesOutstanding: 0, leaseLeaks: 0 });
  first.role.signal('SIGKILL');
  expect(await second.role.stop()).toBe(0);
});
