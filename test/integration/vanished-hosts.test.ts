/** A proxy whose host is gone from the network, without a word: the target ends its session, and has its place again. */
import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { loadBinding } from '../../src/rdma/binding.ts';
import { scratchFolder } from './scratch.ts';
import { proxyToml, targetToml } from './small-roles.ts';
import { makeTwoHosts, type TwoHosts } from './two-hosts.ts';

const made = makeTwoHosts();
const reason = typeof made === 'string' ? made : '';
const hosts = made as TwoHosts;
const scratch = scratchFolder();
const roles: RoleProcess[] = [];
const isPossible = reason === '' && loadBinding().hasUcx;

afterEach(async () => {
  for (const role of roles.splice(0).reverse()) await role.stop();
});

afterAll(() => {
  if (reason === '') hosts.remove();
});

async function started(
  name: 'target' | 'proxy',
  config: string,
  under: readonly string[],
): Promise<RoleProcess> {
  const role = await startRole(name, { config, under });
  roles.push(role);
  return role;
}

function setCable(state: 'up' | 'down'): void {
  const [command = '', ...words] = hosts.onOther;
  const { status } = spawnSync(command, [...words, 'ip', 'link', 'set', hosts.device, state]);
  expect(status).toBe(0);
}

async function awaitEvent(role: RoleProcess, event: string, timeoutMs: number): Promise<void> {
  await vi.waitFor(() => expect(role.log.join('\n')).toContain(`"event":"${event}"`), {
    timeout: timeoutMs,
    interval: 200,
  });
}

describe.skipIf(!isPossible)(`a host that vanishes (needs two hosts)${reason}`, () => {
  test.each([
    // The kernel asks the peer's host, and the connection is lost.
    { transport: 'tcp', event: 'session-lost', timeoutMs: 25_000, more: [] },
    // UCX has still to notice when the session has said nothing for too long.
    {
      transport: 'ucx',
      event: 'session-ended',
      timeoutMs: 15_000,
      more: ['session_timeout = "4s"'],
    },
  ])(
    'loses its session over $transport',
    async ({ transport, event, timeoutMs, more }) => {
      const secret = scratch.write('secret', 'sixteen bytes and more of a secret\n');
      const keys = [
        `transport = "${transport}"`,
        `secret_file = "${secret}"`,
        'ucx_tcp_trusted_network = true',
      ];
      const place = [`listen = "${hosts.address}"`, 'port = 0', ...more];
      const config = targetToml(scratch.folder, ...place, ...keys);
      const host = await started('target', config, hosts.onHost);
      const far = { target: host.bound['rdma'], host: hosts.otherAddress };
      await started('proxy', proxyToml(far, ...keys), hosts.onOther);
      await awaitEvent(host, 'session-welcomed', 10_000);
      setCable('down');
      try {
        await awaitEvent(host, event, timeoutMs);
      } finally {
        setCable('up');
      }
    },
    60_000,
  );
});
