/**
 * Second addresses of a network device. UCX's TCP listens on the first alone: a target tells proxies that one, and a
 * proxy that comes from another is told why it has no session.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadBinding } from '../../src/rdma/binding.ts';
import { mayRun, withOwnNetwork } from './namespaces.ts';
import { program, type Role, runCommand, startRoleBy } from './program.ts';
import { scratchFolder } from './scratch.ts';
import { proxyToml, targetToml } from './small-roles.ts';

const scratch = scratchFolder();
const twoAddresses =
  'ip link add v0 type veth peer name v1 && ip link set v1 up && ip link set v0 up && ip addr add 10.9.0.2/24 dev v0 && ip addr add 10.9.0.3/24 dev v0';
const isPossible = loadBinding().hasUcx && mayRun(withOwnNetwork(twoAddresses));
const roles: Role[] = [];

afterEach(async () => {
  for (const role of roles.splice(0).reverse()) if (!role.hasEnded) await role.stop();
});

function start(setup: string, name: 'target' | 'proxy', file: string): Role {
  const role = startRoleBy(withOwnNetwork(setup), [name, '--config', file]);
  roles.push(role);
  return role;
}

const trusted = 'ucx_tcp_trusted_network = true';

const target = (listen: string, more = ''): string => {
  const place = [`listen = "${listen}"`, 'port = 18515', 'insecure = true'];
  return scratch.write('target.toml', targetToml(scratch.folder, ...place, trusted, more));
};

const proxy = (more = ''): string =>
  scratch.write('proxy.toml', proxyToml({ target: '10.9.0.2:18515' }, trusted, more));

const patient = ['--count', '1', '--connect-timeout', '20s'];

/** The program where the role with this pid runs. */
function beside(pid: unknown, args: readonly string[]): ReturnType<typeof runCommand> {
  return runCommand('nsenter', ['-t', `${pid}`, '-m', '-n', program, ...args]);
}

/** A busy machine gives an attempt up now and then before UCX says why; the next one comes by itself. */
async function awaitLine(role: Role, wanted: object): Promise<void> {
  await vi.waitFor(
    () => expect(role.lines).toContainEqual(expect.objectContaining(wanted)),
    15_000,
  );
}

describe.skipIf(!isPossible)('UCX over TCP (needs UCX and network namespaces)', () => {
  test.each([
    ['10.9.0.2', '10.9.0.2'],
    ['10.9.0.3', '10.9.0.3'],
    ['0.0.0.0', '10.9.0.3'],
  ])('serves at %s those who come to %s', async (listen, dialled) => {
    // Both are on one host: with shared memory they would find each other all the same.
    const host = start(twoAddresses, 'target', target(listen, 'tls = "tcp"'));
    const { pid } = await host.ready();
    for (let i = 0; i < 3; i += 1) {
      const words = ['ping', '--target', `${dialled}:18515`, '--tls', 'tcp', ...patient];
      expect(await beside(pid, words)).toMatchObject({ status: 0, stderr: '' });
    }
    expect(host.lines.some(({ event }) => event === 'ucx-address')).toBe(false);
  });

  const translated =
    "nft 'table ip nat { chain out { type nat hook output priority -100; ip daddr 10.9.0.77 tcp dport 80 dnat to 10.9.0.2:18515; }; }'";

  test.skipIf(!mayRun(withOwnNetwork(`${twoAddresses} && ${translated}`)))(
    'serves those who come to a virtual address (needs nft)',
    async () => {
      const host = start(`${twoAddresses} && ${translated}`, 'target', target('10.9.0.2'));
      const { pid } = await host.ready();
      const words = ['ping', '--target', '10.9.0.77:80', '--tls', 'tcp', ...patient];
      expect(await beside(pid, words)).toMatchObject({ status: 0, stderr: '' });
    },
  );

  test('serves IPv6 on a device that has IPv4 as well', async () => {
    const both = `${twoAddresses} && ip addr add fd00::2/64 dev v0 nodad`;
    for (const listen of ['fd00::2', '::']) {
      const host = start(both, 'target', target(listen));
      const { pid } = await host.ready();
      const tcp = ['--target', '[fd00::2]:18515', '--tls', 'tcp', ...patient];
      const ping = await beside(pid, ['ping', ...tcp]);
      expect(ping).toMatchObject({ status: 0, stderr: '' });
      expect(ping.stdout).toContain('over tcp');
      expect(await host.stop()).toBe(0);
    }
  });

  test('does not dial a proxy that comes from a second address', async () => {
    const host = start(twoAddresses, 'target', target('10.9.0.2'));
    const { pid } = await host.ready();
    const taken = `nsenter -t ${pid} -n ip link set v1 netns $$`;
    const addresses = 'ip addr add 10.9.0.1/24 dev v1 && ip addr add 10.9.0.11/24 dev v1';
    const route = 'ip link set v1 up && ip route replace 10.9.0.0/24 dev v1 src 10.9.0.11';
    const front = start(`${taken} && ${addresses} && ${route}`, 'proxy', proxy());
    const fault = await front.line('ucx-address');
    expect(fault['message']).toContain('targets are reached from 10.9.0.11');
    expect(fault['message']).toContain('src 10.9.0.1');
    await awaitLine(front, {
      event: 'target-down',
      detail: expect.stringContaining('without NAT'),
    });
    await awaitLine(host, {
      event: 'session-refused',
      message: expect.stringContaining('could not dial the other back'),
    });
  });

  test('serves a proxy that comes over another device than that of rdma.listen', async () => {
    const cable = 'ip link add w0 type veth peer name w1 && ip addr add 10.10.0.2/24 dev w0';
    const setup = `${twoAddresses} && ${cable} && ip link set w0 up`;
    const host = start(setup, 'target', target('10.9.0.2'));
    const { pid } = await host.ready();
    const taken = `nsenter -t ${pid} -n ip link set w1 netns $$ && ip link set w1 up`;
    const route = 'ip addr add 10.10.0.3/24 dev w1 && ip route add default via 10.10.0.2';
    // UCX keeps the connection of the side with the lower address: the target's. It finds no shared memory here.
    const [command = '', ...words] = ['unshare', '-i', ...withOwnNetwork(`${taken} && ${route}`)];
    const asked = ['--target', '10.9.0.2:18515', ...patient];
    const ping = await runCommand(command, [...words, program, 'ping', ...asked]);
    expect(ping).toMatchObject({ status: 0, stderr: '' });
    expect(ping.stdout).toContain('over tcp');
  });

  test('names an IPC namespace that is shared across network namespaces', async () => {
    const host = start(twoAddresses, 'target', target('10.9.0.2'));
    const { pid } = await host.ready();
    const taken = `nsenter -t ${pid} -n ip link set v1 netns $$ && ip link set v1 up`;
    const front = start(`${taken} && ip addr add 10.9.0.1/24 dev v1`, 'proxy', proxy());
    const detail = expect.stringMatching(/share an IPC namespace but not the network namespace/);
    await awaitLine(front, { event: 'target-down', detail });
  });

  const sourceNat =
    "nft 'table ip nat { chain out { type nat hook postrouting priority 100; ip daddr 10.9.0.2 snat to 10.9.0.44; }; }'";

  test.skipIf(!mayRun(withOwnNetwork(`${twoAddresses} && ${sourceNat}`)))(
    'names the source NAT in front of a proxy, on both sides (needs nft)',
    async () => {
      const host = start(twoAddresses, 'target', target('10.9.0.2', 'tls = "tcp"'));
      const { pid } = await host.ready();
      const taken = `nsenter -t ${pid} -n ip link set v1 netns $$ && ip link set v1 up`;
      const addresses = 'ip addr add 10.9.0.1/24 dev v1 && ip addr add 10.9.0.44/32 dev lo';
      const setup = `${taken} && ${addresses} && ${sourceNat}`;
      const front = start(setup, 'proxy', proxy('tls = "tcp"'));
      const detail = expect.stringMatching(/come from 10\.9\.0\.44.* 10\.9\.0\.1: a source NAT/);
      await awaitLine(front, { event: 'target-down', detail });
      await awaitLine(host, {
        event: 'session-translated',
        level: 'warn',
        peer: '10.9.0.44',
        detail,
      });
    },
  );

  /** SYNs to v0 go nowhere, but for rdma.listen: as with a firewall that opens that port alone. */
  const drops =
    "nft 'table inet wall { chain in { type filter hook input priority 0; iif lo accept; ct state established accept; tcp dport != { 18515 } drop; }; }'";

  test.skipIf(!mayRun(withOwnNetwork(`${twoAddresses} && ${drops}`)))(
    'keeps nobody waiting where a firewall drops its dialling (needs nft)',
    async () => {
      const host = start(`${twoAddresses} && ${drops}`, 'target', target('10.9.0.2'));
      const { pid } = await host.ready();
      const taken = `nsenter -t ${pid} -n ip link set v1 netns $$`;
      const up = 'ip addr add 10.9.0.1/24 dev v1 && ip link set v1 up';
      // Without shared memory between the two.
      const front = start(`${taken} && ${up}`, 'proxy', proxy('tls = "tcp"'));
      const ready = await front.ready();
      await awaitLine(front, { event: 'target-down' });
      for (let i = 0; i < 10; i += 1) {
        const beganMs = performance.now();
        const ask = `fetch("http://${ready['admin']}/livez").then((answer) => console.log(answer.status))`;
        const { stdout } = await runCommand('nsenter', [
          '-t',
          `${ready['pid']}`,
          '-n',
          process.execPath,
          '-e',
          ask,
        ]);
        expect(stdout.trim()).toBe('200');
        expect(performance.now() - beganMs).toBeLessThan(5_000);
      }
      expect(await front.stop()).toBe(0);
      expect(await host.stop()).toBe(0);
    },
  );
});
