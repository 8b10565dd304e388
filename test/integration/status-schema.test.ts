/** /health and /stats of real roles in several states: the description names every property, and says which are there. */
import { beforeAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { createVolume, formatFid } from '../../src/rdma/volume-files.ts';
import { answerSchema, type Description } from './described-answers.ts';
import { type Role, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const admin = '[admin]\nlisten = "127.0.0.1:0"\n';

interface Started {
  readonly role: Role;
  readonly places: Readonly<Record<string, string>>;
  readonly admin: string;
}

async function started(role: string, config: string): Promise<Started> {
  const running = startRole([role, '--config', scratch.write(`${role}.toml`, config)]);
  const places = (await running.ready()) as Record<string, string>;
  return { role: running, places, admin: `http://${places['admin']}` };
}

async function page(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

/** Returns the /stats that were looked at. */
async function expectDescribed(adminUrl: string): Promise<Record<string, unknown>> {
  const description = (await page(`${adminUrl}/openapi.json`)) as unknown as Description;
  let last: Record<string, unknown> = {};
  for (const path of ['/health', '/stats']) {
    const answer = await fetch(adminUrl + path);
    last = (await answer.json()) as Record<string, unknown>;
    const validate = answerSchema(description, path, 'get', answer.status);
    validate(last);
    expect([path, validate.errors]).toEqual([path, null]);
  }
  return last;
}

/** Until /stats of the role is as wanted. */
async function until(
  adminUrl: string,
  isSo: (stats: Record<string, unknown>) => boolean,
): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (isSo(await page(`${adminUrl}/stats`))) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the role never came to that state');
}

function stateOf(stats: Record<string, unknown>): unknown {
  const [target] = stats['targets'] as readonly { readonly state: { readonly kind: string } }[];
  return target?.state.kind;
}

function reloadsOf(stats: Record<string, unknown>): number {
  return (stats['configuration'] as { readonly reloads: number }).reloads;
}

describe.skipIf(!loadBinding().hasUcx)('the description of the status pages', () => {
  let upstream: string;
  let target: Started;
  let proxy: Started;
  const proxyConfig = (level: string): string =>
    `[http]\nlisten = "127.0.0.1:0"\n[seaweedfs]\nvolume_server_url = "${upstream}"\n[rdma]\ntarget = "${target.places['rdma']}"\n[memory]\nsize = "64MiB"\n[sidecar]\nlisten = "127.0.0.1:0"\n[logging]\nlevel = "${level}"\n${admin}`;

  beforeAll(async () => {
    using volume = createVolume({ dir: scratch.folder, volumeId: 3 });
    volume.append({ needleId: 1n, cookie: 7, data: Buffer.alloc(3_000, 1), mime: 'a/b' });
    const origin = startRole(['origin', '--dir', scratch.folder, '--listen', '127.0.0.1:0']);
    upstream = `http://${(await origin.ready())['http']}`;
    target = await started(
      'target',
      `[rdma]\nport = 0\nbuffer_size = "64MiB"\n[target]\ndirs = ["${scratch.folder}"]\nvolume_server_url = "${upstream}"\n${admin}`,
    );
    proxy = await started('proxy', proxyConfig('info'));
    await until(proxy.admin, (stats) => stateOf(stats) === 'up');
  });

  test('covers both roles while they serve', async () => {
    const fid = formatFid(3, 1n, 7);
    for (let read = 0; read < 3; read += 1) {
      await (await fetch(`http://${proxy.places['http']}/${fid}`)).arrayBuffer();
    }
    await fetch(`http://${proxy.places['sidecar']}/health`);
    const stats = await expectDescribed(proxy.admin);
    expect(Object.keys(stats)).toEqual(
      expect.arrayContaining(['ucxTcp', 'fabricConnections', 'sidecar', 'arena', 'configuration']),
    );
    await until(target.admin, ({ coverage }) => coverage !== undefined);
    const targetStats = await expectDescribed(target.admin);
    expect(Object.keys(targetStats)).toEqual(expect.arrayContaining(['confirmation', 'coverage']));
  });

  test.each([
    ['a change that applies at once', (): string => proxyConfig('debug'), true],
    ['a mistake', (): string => 'nonsense = 1\n', false],
  ] as const)('covers a proxy that has read %s', async (_what, config, isOk) => {
    scratch.write('proxy.toml', config());
    const reloads = reloadsOf(await page(`${proxy.admin}/stats`));
    proxy.role.signal('SIGHUP');
    await until(proxy.admin, (stats) => reloadsOf(stats) > reloads);
    const { configuration } = await expectDescribed(proxy.admin);
    expect(configuration).toMatchObject({ lastReload: { ok: isOk } });
  });

  test('covers a proxy whose target is gone', async () => {
    target.role.signal('SIGKILL');
    await target.role.ended;
    await until(proxy.admin, (stats) => stateOf(stats) === 'down');
    await expectDescribed(proxy.admin);
  });
});
