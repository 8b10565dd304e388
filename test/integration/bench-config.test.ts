/** What a file knows of the servers around it is measured: by `bench --config`, and by the doctor's speed checks. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { freePorts } from '../free-ports.ts';
import { fid, fillVolume } from './admin-stage.ts';
import { examine, planted } from './doctor-rig.ts';
import { type Role, runProgram, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';

const scratch = scratchFolder();
const dir = join(scratch.folder, 'volumes');
const few = ['--iterations', '60', '--rounds', '3', '--size', '4096', '--json'];

interface Row {
  readonly name: string;
  readonly detail: string;
  readonly figures?: { readonly reads: number; readonly failures: object };
}

async function compared(args: readonly string[]): Promise<readonly Row[]> {
  const { status, stdout, stderr } = await runProgram(['bench', ...args, ...few]);
  expect(status, stderr).toBe(0);
  return (JSON.parse(stdout) as { paths: readonly Row[] }).paths;
}

describe.skipIf(!loadBinding().hasUcx)('with a configuration file (needs UCX)', () => {
  let origin: Role;
  let target: Role;
  let proxyFile = '';
  let targetFile = '';
  let url = '';
  let address = '';
  let httpPort = 0;

  beforeAll(async () => {
    mkdirSync(dir);
    fillVolume(dir, 20, 6000);
    const [http = 0, admin = 0, rdma = 0] = await freePorts(3);
    httpPort = http;
    origin = startRole(['origin', '--dir', dir, '--listen', '127.0.0.1:0']);
    url = `http://${String((await origin.line('ready'))['http'])}`;
    address = `127.0.0.1:${rdma}`;
    targetFile = scratch.write(
      'target.toml',
      `[rdma]\nport = ${rdma}\nbuffer_size = "64MiB"\n[target]\ndirs = ["${dir}"]\nvolume_server_url = "${url}"\n[admin]\nlisten = "127.0.0.1:0"\n`,
    );
    target = startRole(['target', '--config', targetFile]);
    await target.line('confirmed');
    proxyFile = scratch.write(
      'proxy.toml',
      `[http]\nlisten = "0.0.0.0:${http}"\n[admin]\nlisten = "127.0.0.1:${admin}"\n[seaweedfs]\nvolume_server_url = "${url}"\n[rdma]\ntarget = "${address}"\n[memory]\nsize = "64MiB"\n`,
    );
  });

  afterAll(async () => {
    expect(await target.stop()).toBe(0);
    expect(await origin.stop()).toBe(0);
  });

  test('bench reads a target’s own needles from volume server and target', async () => {
    const rows = await compared(['--config', targetFile]);
    expect(rows).toMatchObject([
      { name: 'http', detail: url, figures: { reads: 60, failures: {} } },
      { name: 'target', detail: expect.stringContaining(address), figures: { reads: 60 } },
    ]);
  });

  test('a proxy that does not run is named, and no failure', async () => {
    const rows = await compared([fid(1n), fid(2n), '--config', proxyFile]);
    const byName = new Map(rows.map((row) => [row.name, row]));
    expect(byName.get('http')).toMatchObject({ detail: url, figures: { reads: 60 } });
    expect(byName.get('target')).toMatchObject({ figures: { reads: 60, failures: {} } });
    expect(byName.get('proxy')?.figures).toBeUndefined();
    expect(byName.get('proxy')?.detail).toContain('ECONNREFUSED');
  });

  test('without a needle that can be found it measures round trips, and says what is missing', async () => {
    const { status, stdout, stderr } = await runProgram(['bench', '--config', proxyFile, ...few]);
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { operation: 'ping' }]);
    expect(stderr).toContain('give fids or --dir DIR to compare volume server, proxy and target');
  });

  describe('while the proxy runs', () => {
    let proxy: Role;

    beforeAll(async () => {
      proxy = startRole(['proxy', '--config', proxyFile]);
      await proxy.line('ready');
    });

    afterAll(async () => {
      expect(await proxy.stop()).toBe(0);
    });

    test('bench compares all three, byte by byte and figure by figure', async () => {
      const rows = await compared(['--dir', dir, '--config', proxyFile]);
      expect(rows).toMatchObject([
        { name: 'http', detail: url, figures: { reads: 60, failures: {} } },
        { name: 'proxy', detail: `http://127.0.0.1:${httpPort}`, figures: { reads: 60 } },
        { name: 'target', detail: expect.stringContaining(address), figures: { reads: 60 } },
      ]);
    });

    test('the doctor measures all three', async () => {
      const args = ['--config', proxyFile, '--only', 'speed', '--fid', fid(3n)];
      const examined = await examine(args);
      const checks = examined.report.checks.filter(({ name }) => name === 'latency');
      expect(checks).toHaveLength(1);
      // On a busy machine the target may well be no faster than HTTP, which is a warning.
      const [{ summary, evidence } = { summary: '', evidence: [] }] = checks;
      expect(summary).toMatch(/; the volume server \d+ \S+s; the proxy \d+ \S+s/);
      expect(evidence[1]).toContain(`the same from the volume server, ${url}: p50`);
      expect(evidence[2]).toContain(`the same from the proxy, http://127.0.0.1:${httpPort}: p50`);
      expect(planted(examined, 'bandwidth', 'ok').evidence.join('\n')).toMatch(
        /the same from the volume server: .*\/s\nthe same from the proxy: .*\/s/,
      );
    });
  });
});
