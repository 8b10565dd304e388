/**
 * Asks the kernel at which addresses each role listens. UCX opens a TCP port on each network device that it may use, and
 * whoever reaches one writes into the process: loopback must mean loopback.
 */
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { type RoleProcess, startRole } from '../../scripts/role-process.ts';
import { listeningSockets } from './listening-sockets.ts';
import { scratchFolder } from './scratch.ts';

const { folder } = scratchFolder();
const roles: RoleProcess[] = [];

afterEach(async () => {
  for (const role of roles.splice(0).reverse()) await role.stop();
});

const targetConfig = (listen: string, isTrusted = true, transport = 'auto'): string => `
[rdma]
transport = "${transport}"
listen = "${listen}"
insecure = true
ucx_tcp_trusted_network = ${isTrusted}
port = 0
buffer_size = "16MiB"
hugepages = "off"
[target]
dirs = ["${folder}"]
unconfirmed = true
[admin]
listen = "127.0.0.1:0"
`;

const proxyConfig = (target: string, transport = 'auto'): string => `
[http]
listen = "127.0.0.1:0"
[seaweedfs]
volume_server_url = "http://127.0.0.1:9"
[rdma]
target = "${target}"
transport = "${transport}"
[memory]
size = "16MiB"
hugepages = "off"
[admin]
listen = "127.0.0.1:0"
`;

async function role(name: 'target' | 'proxy', config: string): Promise<RoleProcess> {
  const started = await startRole(name, { config });
  roles.push(started);
  return started;
}

/** Without repetition. */
function listenedAddresses(pid: number): readonly string[] {
  return [...new Set(listeningSockets(pid).map(({ address }) => address))].sort();
}

const loopback = '0100007F';

/** One of this machine's own beyond loopback; undefined: it has none. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((row) => row !== undefined && !row.internal && row.family === 'IPv4')?.address;

describe('the TCP ports of a role', () => {
  it('of a target and a proxy on loopback are on loopback only', async () => {
    const target = await role('target', targetConfig('127.0.0.1'));
    const proxy = await role('proxy', proxyConfig(String(target.bound['rdma'])));
    expect(listenedAddresses(target.pid)).toEqual([loopback]);
    expect(listenedAddresses(proxy.pid)).toEqual([loopback]);
  });

  it('of a proxy without a target are on loopback only', async () => {
    const proxy = await role('proxy', proxyConfig('127.0.0.1:9'));
    expect(listenedAddresses(proxy.pid)).toEqual([loopback]);
  });

  it.skipIf(outside === undefined)(
    'of a target beyond loopback are where it is told to listen, and its log warns of them',
    async () => {
      const target = await role('target', targetConfig(outside as string));
      const hex = (outside as string)
        .split('.')
        .reverse()
        .map((each) => Number(each).toString(16).padStart(2, '0').toUpperCase())
        .join('');
      expect(listenedAddresses(target.pid)).toEqual([loopback, hex].sort());
      expect(target.log.join('\n')).toContain('"event":"ucx-devices"');
    },
  );

  it.skipIf(outside === undefined)(
    'of a target beyond loopback without UCX are those that are configured',
    async () => {
      const target = await role('target', targetConfig(outside as string, false));
      const proxy = await role('proxy', proxyConfig(String(target.bound['rdma'])));
      expect(listeningSockets(target.pid)).toHaveLength(2);
      expect(listeningSockets(proxy.pid)).toHaveLength(2);
      expect(target.log.join('\n')).toContain('"event":"transport"');
    },
  );

  it.skipIf(outside === undefined)(
    'of UCX beyond loopback are refused until the network is said to be trusted',
    async () => {
      const config = targetConfig(outside as string, false, 'ucx');
      await expect(startRole('target', { config })).rejects.toThrow(
        /UCX would open a TCP port on .*rdma\.ucx_tcp_trusted_network = true/s,
      );
      const reaching = proxyConfig(`${outside}:9`, 'ucx');
      await expect(startRole('proxy', { config: reaching })).rejects.toThrow(
        /rdma\.ucx_tcp_trusted_network = true/,
      );
    },
  );
});
