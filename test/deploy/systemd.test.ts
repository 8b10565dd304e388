/** The systemd units: systemd's own checks of them, and a real role that tells a real datagram socket how it is. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type LogLine, program, Role, runCommand, startRole } from '../integration/program.ts';
import { scratchFolder } from '../integration/scratch.ts';

const scratch = scratchFolder();
const folder = join(import.meta.dirname, '../../deploy/systemd');
const roles = ['proxy', 'target'] as const;
/** 0 to 100; systemd calls up to 49 OK and most services of a distribution are at 96. */
const exposureMax = 25;

const has = (name: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((path) => existsSync(join(path, name)));
const missing = ['systemd-analyze', 'systemd-notify', 'python3'].filter((name) => !has(name));
if (missing.length > 0) console.log(`skipped in part: ${missing.join(', ')} not on the PATH`);

function unitOf(role: string): string {
  return readFileSync(join(folder, `seaweed-rdma-${role}.service`), 'utf8');
}

function valuesOf(unit: string, key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => String(value));
}

describe.each(roles)('the unit of the %s', (role) => {
  const unit = unitOf(role);

  test.skipIf(missing.includes('systemd-analyze'))('is one that systemd understands', async () => {
    const installed = unit.replace(/\/opt\/seaweed-rdma\/bin\/seaweed-rdma/g, program);
    const file = scratch.write(`seaweed-rdma-${role}.service`, installed);
    const { status, stderr } = await runCommand('systemd-analyze', ['verify', '--man=no', file]);
    // Of other units, the machine's own, it may speak as well.
    expect(stderr.split('\n').filter((line) => line.includes('seaweed-rdma'))).toEqual([]);
    expect(status).toBe(0);
  });

  test.skipIf(missing.includes('systemd-analyze'))('leaves little exposed', async () => {
    const file = join(folder, `seaweed-rdma-${role}.service`);
    const args = ['security', '--no-pager', '--offline=true', `--threshold=${exposureMax}`, file];
    const { status, stdout } = await runCommand('systemd-analyze', args);
    expect(stdout).toMatch(/Overall exposure level/);
    expect(status).toBe(0);
  });

  test('gives no capability but IPC_LOCK, and time to drain', () => {
    expect(valuesOf(unit, 'AmbientCapabilities')).toEqual(['CAP_IPC_LOCK']);
    expect(valuesOf(unit, 'CapabilityBoundingSet')).toEqual(['CAP_IPC_LOCK']);
    expect(valuesOf(unit, 'LimitMEMLOCK')).toEqual(['infinity']);
    expect(valuesOf(unit, 'Type')).toEqual(['notify']);
    expect(valuesOf(unit, 'NotifyAccess')).toEqual(['all']);
    // The role takes up to 10 s for what is in flight.
    expect(Number(valuesOf(unit, 'TimeoutStopSec')[0])).toBeGreaterThan(10);
    // Each sign of life is a process: seldom enough for a role that idles.
    expect(Number(valuesOf(unit, 'WatchdogSec')[0])).toBeGreaterThanOrEqual(60);
    // V8 makes code at run time; @system-service has what it, libuv and UCX call.
    expect(valuesOf(unit, 'MemoryDenyWriteExecute')).toEqual([]);
    expect(valuesOf(unit, 'RestrictAddressFamilies').join().split(' ')).toContain('AF_NETLINK');
  });
});

const canListen = ['systemd-notify', 'python3'].every((name) => !missing.includes(name));

describe.skipIf(!canListen)('a role under Type=notify', () => {
  const children: Role[] = [];
  afterAll(() => {
    for (const child of children) if (!child.hasEnded) child.signal('SIGKILL');
  });

  async function startReceiver(path: string): Promise<Role> {
    const script = join(import.meta.dirname, 'notify-receiver.py');
    const child = spawn('python3', [script, path], { stdio: ['ignore', 'pipe', 'pipe'] });
    const receiver = new Role(child);
    children.push(receiver);
    await receiver.line('listening');
    return receiver;
  }

  const wordsOf = (line: LogLine): Record<string, string> =>
    line['words'] as Record<string, string>;

  test('says when it is ready, alive, reloading and stopping', { timeout: 30_000 }, async () => {
    const socket = join(scratch.folder, 'notify');
    const receiver = await startReceiver(socket);
    const config = scratch.write(
      'proxy.toml',
      '[http]\nlisten = "127.0.0.1:0"\n[rdma]\nmode = "off"\n[memory]\nsize = "64MiB"\n[admin]\nlisten = "127.0.0.1:0"\n',
    );
    const proxy = startRole(['proxy', '--config', config], {
      NOTIFY_SOCKET: socket,
      WATCHDOG_USEC: '400000',
    });
    const bound = await proxy.ready();
    const ready = wordsOf(await receiver.line('READY'));
    expect(ready['STATUS']).toContain(String(bound['http']));
    expect(wordsOf(await receiver.line('WATCHDOG'))).toEqual({ WATCHDOG: '1' });

    const already = receiver.lines.length;
    proxy.signal('SIGHUP');
    const reloading = await receiver.line('RELOADING');
    const { MONOTONIC_USEC: at } = wordsOf(reloading);
    // systemd takes only a READY=1 that comes after this time.
    expect(Number(reloading['nowUs']) - Number(at)).toBeGreaterThan(0);
    expect(Number(reloading['nowUs']) - Number(at)).toBeLessThan(30_000_000);

    expect(await proxy.stop()).toBe(0);
    await receiver.line('STOPPING');
    const events = receiver.lines.slice(already).map((line) => String(line['event']));
    const order = events.filter((event) => ['RELOADING', 'READY', 'STOPPING'].includes(event));
    expect(order).toEqual(['RELOADING', 'READY', 'STOPPING']);
  });

  test('goes on where nobody can be told, and says so once', async () => {
    const config = scratch.write(
      'alone.toml',
      '[http]\nlisten = "127.0.0.1:0"\n[rdma]\nmode = "off"\n[memory]\nsize = "64MiB"\n[admin]\nlisten = "127.0.0.1:0"\n',
    );
    const proxy = startRole(['proxy', '--config', config], {
      NOTIFY_SOCKET: join(scratch.folder, 'nobody'),
      WATCHDOG_USEC: '200000',
    });
    const { admin } = await proxy.ready();
    await proxy.line('notify-failed');
    expect((await fetch(`http://${admin}/livez`)).status).toBe(200);
    expect(await proxy.stop()).toBe(0);
    const complaints = proxy.lines.filter((line) => line['event'] === 'notify-failed');
    expect(complaints.length).toBe(1);
  });
});
