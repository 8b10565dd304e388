/** Tools and the demo where there is an RDMA device. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const device = process.env['SEAWEED_RDMA_VERBS_DEVICE'] ?? '';
const run = promisify(execFile);

interface Check {
  readonly name: string;
  readonly result: string;
  readonly summary: string;
}

async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const main = join(root, 'src', 'main.ts');
  const { stdout } = await run(process.execPath, [main, ...args, '--json']);
  return JSON.parse(stdout);
}

it('the doctor finds the device, its port, GID and MTU', async () => {
  const { checks } = (await json('doctor', '--only', 'devices')) as {
    readonly checks: readonly Check[];
  };
  const resultOf = (wanted: string): string | undefined =>
    checks.find(({ name }) => name === wanted)?.result;
  expect(checks.find(({ name }) => name === 'rdma-devices')?.summary).toBe(device);
  for (const name of ['rdma-devices', 'rdma-port', 'rdma-gid', 'device-name']) {
    expect(resultOf(name), JSON.stringify(checks)).toBe('ok');
  }
  // An Ethernet of 1,500 bytes carries it, in packets smaller than they could be.
  expect(resultOf('rdma-mtu')).toBe('warn');
});

it('capabilities names the device', async () => {
  expect(JSON.stringify((await json('capabilities'))['rdmaDevices'])).toContain(device);
});

it('too little locked memory is said with its limit and its remedy', async () => {
  const program = `
    import { createRdmaClient } from ${JSON.stringify(join(root, 'src/rdma/rdma-client.ts'))};
    try {
      createRdmaClient({ kind: 'ucx', tls: 'rc', arenaBytes: 64 * 1024 * 1024, hugepages: 'off' });
    } catch (error) {
      process.stdout.write(error.message);
      process.exit();
    }`;
  const without = [
    '--bounding-set=-ipc_lock',
    '--inh-caps=-ipc_lock',
    'prlimit',
    '--memlock=1048576',
  ];
  const args = [...without, process.execPath, '--input-type=module', '--eval', program];
  const { stdout } = await run('setpriv', args);
  expect(stdout).toMatch(
    /locked-memory limit is 1024 KiB but the arena needs 64 MiB: .*LimitMEMLOCK/,
  );
});

it('the demo runs over it, and no byte differs', async () => {
  const args = [join(root, 'scripts', 'demo.mjs'), '--tls', 'rc', '--reads', '200', '--json'];
  const { stdout } = await run(process.execPath, args, { timeout: 300_000 });
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, transport: 'rc_verbs', differences: [] });
}, 320_000);
