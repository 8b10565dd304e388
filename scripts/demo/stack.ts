/** Target and proxy in front of the volume server: the product as an operator would start it, on free loopback ports. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isActive, rdmaPorts, roceAddresses } from '../../src/rdma/rdma-ports.ts';
import { transportsOf } from '../../src/rdma/ucx-devices.ts';
import { isRdmaAlone } from '../../src/rdma/ucx-transports.ts';
import { type RoleProcess, startRole } from '../role-process.ts';

export interface StackOptions {
  readonly dataDir: string;
  /** host:port */
  readonly volumeServer: string;
  readonly hasUcx: boolean;
  /** UCX_TLS. */
  readonly tls: string;
  /** For the secret, which a target beyond loopback needs. */
  readonly workDir: string;
}

export interface Stack {
  /** undefined: the proxy reads the directories itself. */
  readonly target: RoleProcess | undefined;
  readonly proxy: RoleProcess;
  /** Carries the session between the two, as the proxy's log says. */
  transport(): string;
  stop(): Promise<void>;
}

/** Over UCX where the native part has it, else the proxy reads the directories itself. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dataDir, volumeServer, hasUcx } = options;
  const roles: RoleProcess[] = [];
  const start = async (role: string, config: string): Promise<RoleProcess> => {
    const running = await startRole(role, { config });
    roles.unshift(running);
    return running;
  };
  const stop = async (): Promise<void> => {
    for (const role of roles) await role.stop();
  };
  try {
    const fabric = fabricOf(options);
    const target = hasUcx
      ? await start('target', targetConfig(dataDir, volumeServer, fabric))
      : undefined;
    const place =
      target === undefined
        ? `dirs = ["${dataDir}"]`
        : `target = "${target.bound['rdma']}"\n${fabric.lines}`;
    const proxy = await start('proxy', proxyConfig(volumeServer, hasUcx ? 'ucx' : 'inproc', place));
    return { target, proxy, transport: () => transportIn(proxy.log), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Fabric {
  readonly listen: string;
  /** For both roles. */
  readonly lines: string;
}

/** @throws Error where RDMA alone is asked for and no port has an address. */
function fabricOf({ tls, workDir }: StackOptions): Fabric {
  const lines = `tls = "${tls}"`;
  if (!isRdmaAlone(transportsOf(tls))) return { listen: '127.0.0.1', lines };
  const [listen] = rdmaPorts('/sys')
    .filter(isActive)
    .flatMap((port) => roceAddresses(port));
  if (listen === undefined) {
    throw new Error(
      `--tls ${tls} needs an RDMA port that is up and has an address: seaweed-rdma doctor --only devices`,
    );
  }
  const secret = join(workDir, 'secret');
  writeFileSync(secret, randomBytes(32).toString('hex'), { mode: 0o600 });
  return { listen, lines: `${lines}\nsecret_file = "${secret}"` };
}

function transportIn(log: readonly string[]): string {
  const up = log.findLast((line) => line.includes('"event":"target-up"'));
  return up === undefined ? 'none' : String(JSON.parse(up).transport);
}

function targetConfig(dataDir: string, volumeServer: string, { listen, lines }: Fabric): string {
  return `
[rdma]
listen = "${listen}"
${lines}
port = 0
buffer_size = "256MiB"
[target]
dirs = ["${dataDir}"]
volume_server_url = "http://${volumeServer}"
[admin]
listen = "127.0.0.1:0"
[logging]
level = "info"
`;
}

function proxyConfig(volumeServer: string, transport: 'ucx' | 'inproc', place: string): string {
  return `
[http]
listen = "127.0.0.1:0"
debug_headers = true
[seaweedfs]
volume_server_url = "http://${volumeServer}"
[rdma]
transport = "${transport}"
${place}
[cache] # smaller than the samples, so that reads of both ways are seen
size = "2MiB"
[memory]
size = "256MiB"
[admin]
listen = "127.0.0.1:0"
[logging]
level = "info"
`;
}
