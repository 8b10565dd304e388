/** examples/measure-fabric.sh, which users run on their own network and send back. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { freePorts } from '../free-ports.ts';
import { fid, fillVolume } from './admin-stage.ts';
import { program, runCommand, startRole } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { proxyToml, targetToml } from './small-roles.ts';

const scratch = scratchFolder();
const script = join(import.meta.dirname, '..', '..', 'examples', 'measure-fabric.sh');

test.skipIf(!loadBinding().hasUcx)(
  'measures the way to a target, and leaves one file and no secret in it',
  async () => {
    const dir = join(scratch.folder, 'volumes');
    mkdirSync(dir);
    fillVolume(dir, 2, 6000);
    const secret = `secret_file = "${scratch.write('secret', 'of sixteen bytes and more')}"`;
    const toml = targetToml(dir, 'transport = "tcp"', 'port = 0', secret);
    const target = startRole(['target', '--config', scratch.write('target.toml', toml)]);
    const { rdma } = await target.ready();
    const origin = startRole(['origin', '--dir', dir, '--listen', '127.0.0.1:0']);
    const { http: server } = await origin.ready();
    const [port = 0] = await freePorts(1);
    const config = scratch.write(
      'proxy.toml',
      proxyToml({ target: rdma }, 'transport = "tcp"', secret)
        .replace('listen = "127.0.0.1:0"', `listen = "127.0.0.1:${port}"`)
        .replace('127.0.0.1:9"', `${server}"`),
    );
    const proxy = startRole(['proxy', '--config', config]);
    await proxy.ready();
    const folder = join(scratch.folder, 'measured');
    const few = { SIZES: '4KiB', DEPTHS: '1 2', ITERATIONS: '20', TRANSPORTS: 'tcp' };
    const environment = { ...few, SEAWEED_RDMA: program, OUT: folder };
    const { status, stdout, stderr } = await runCommand(
      'sh',
      [script, config, fid(1n)],
      environment,
    );
    expect(stderr).toBe('4KiB, 1 at once\n4KiB, 2 at once\n');
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${folder}.tar.gz\n` });
    const listed = await runCommand('tar', ['-tzf', `${folder}.tar.gz`]);
    expect(listed.stdout.split('\n').filter((name) => name.endsWith('.json'))).toHaveLength(4);
    const report = readFileSync(join(folder, 'bench-4KiB-2.json'), 'utf8');
    expect(JSON.parse(report).paths).toContainEqual(
      expect.objectContaining({ figures: expect.objectContaining({ failures: {} }) }),
    );
    const grep = await runCommand('grep', ['-r', 'of sixteen bytes', folder]);
    expect(grep.status).toBe(1);
    for (const role of [proxy, target, origin]) expect(await role.stop()).toBe(0);
  },
);
