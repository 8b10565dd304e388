/** The secret of proxies and targets is changed while they run: SIGHUP on one after the other, and no read misses the target. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { serveListedVolume } from './listed-volume.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { proxyToml, targetToml } from './small-roles.ts';

const scratch = scratchFolder();
const cookie = 0x11223344;
const needle = randomBytes(10_000);
const roles: Role[] = [];
let serverUrl = '';

beforeAll(async () => {
  using volume = createVolume({ dir: scratch.folder, volumeId: 5 });
  volume.append({ needleId: 1n, cookie, data: needle });
  serverUrl = await serveListedVolume();
});

afterEach(async () => {
  for (const role of roles.splice(0).reverse()) if (!role.hasEnded) await role.stop();
});

type Name = 'old' | 'new';

function secretLines(first: Name, second?: Name): readonly string[] {
  const fileOf = (name: Name): string => scratch.write(name, `${name}, of sixteen bytes and more`);
  const lines = [`secret_file = "${fileOf(first)}"`];
  return second === undefined ? lines : [...lines, `second_secret_file = "${fileOf(second)}"`];
}

/** A role, and its file. */
class Changing {
  readonly role: Role;
  readonly #file: string;
  readonly #toml: (secrets: readonly string[]) => string;
  #reloads = 0;

  constructor(
    name: 'target' | 'proxy',
    toml: (secrets: readonly string[]) => string,
    secrets: readonly string[],
  ) {
    this.#file = `${name}-${roles.length}.toml`;
    this.#toml = toml;
    this.role = startRole([name, '--config', scratch.write(this.#file, toml(secrets))]);
    roles.push(this.role);
  }

  async use(...names: Parameters<typeof secretLines>): Promise<void> {
    scratch.write(this.#file, this.#toml(secretLines(...names)));
    this.role.signal('SIGHUP');
    this.#reloads += 1;
    await vi.waitFor(() => expect(this.lines('reload')).toHaveLength(this.#reloads), 10_000);
    expect(this.lines('restart-needed')).toEqual([]);
  }

  lines(event: string): Role['lines'] {
    return this.role.lines.filter((line) => line['event'] === event);
  }
}

async function target(
  transport: string,
  port: number,
  ...secrets: Parameters<typeof secretLines>
): Promise<Changing> {
  const toml = (lines: readonly string[]): string =>
    targetToml(scratch.folder, transport, `port = ${port}`, ...lines);
  const started = new Changing('target', toml, secretLines(...secrets));
  await started.role.ready();
  return started;
}

async function proxy(
  transport: string,
  port: number,
  ...secrets: Parameters<typeof secretLines>
): Promise<Changing> {
  const toml = (lines: readonly string[]): string =>
    proxyToml({ target: `127.0.0.1:${port}` }, transport, ...lines).replace(
      'http://127.0.0.1:9',
      serverUrl,
    );
  const started = new Changing('proxy', toml, secretLines(...secrets));
  await started.role.ready();
  return started;
}

async function isServed({ role }: Changing): Promise<boolean> {
  const { http } = await role.ready();
  const response = await fetch(`http://${http}/5,01${cookie.toString(16)}`);
  return Buffer.from(await response.arrayBuffer()).equals(needle);
}

async function expectServed(by: Changing): Promise<void> {
  await vi.waitFor(async () => expect(await isServed(by)).toBe(true), 15_000);
}

describe.skipIf(!loadBinding().hasUcx).each([
  ['tcp', 'transport = "tcp"'],
  ['ucx', 'transport = "ucx"'],
])('the secret over %s', (_, transport) => {
  test('is changed without a gap, the target first', async () => {
    const host = await target(transport, 0, 'old');
    const port = Number(
      String((await host.role.ready())['rdma'])
        .split(':')
        .at(-1),
    );
    const first = await proxy(transport, port, 'old');
    await expectServed(first);
    let [reads, missed] = [0, 0];
    let isOver = false;
    const reading = (async () => {
      while (!isOver) {
        if (!(await isServed(first))) missed += 1;
        reads += 1;
      }
    })();
    await host.use('old', 'new');
    for (const name of ['old', 'new'] as const) {
      await expectServed(await proxy(transport, port, name));
    }
    await first.use('new');
    await host.use('new', 'old');
    await expectServed(await proxy(transport, port, 'old', 'new'));
    await host.use('new');
    const late = await proxy(transport, port, 'old');
    await vi.waitFor(() => expect(late.lines('target-down').length).toBeGreaterThan(0), 10_000);
    expect(late.lines('target-down')[0]).toMatchObject({ reason: 'unauthorized' });
    isOver = true;
    await reading;
    expect(missed).toBe(0);
    expect(reads).toBeGreaterThan(20);
    expect(first.lines('target-up')).toHaveLength(1);

    host.role.signal('SIGKILL');
    await host.role.ended;
    await target(transport, port, 'new');
    await vi.waitFor(() => expect(first.lines('target-up')).toHaveLength(2), 15_000);
    await expectServed(first);
  });
});

test('a role does not get or lose its secret while it runs', async () => {
  const toml = (lines: readonly string[]): string =>
    proxyToml({ target: '127.0.0.1:9' }, 'transport = "tcp"', ...lines);
  const started = new Changing('proxy', toml, secretLines('old'));
  await started.role.ready();
  scratch.write('proxy-0.toml', toml([]));
  started.role.signal('SIGHUP');
  expect(await started.role.line('restart-needed')).toMatchObject({ keys: ['rdma.secret_file'] });
});
