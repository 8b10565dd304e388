/** Target and proxy in front of the volume server: the product as an operator would start it, on free loopback ports. */
import { type RoleProcess, startRole } from '../role-process.ts';

export interface StackOptions {
  readonly dataDir: string;
  /** host:port */
  readonly volumeServer: string;
  readonly hasUcx: boolean;
}

export interface Stack {
  /** undefined: the proxy reads the directories itself. */
  readonly target: RoleProcess | undefined;
  readonly proxy: RoleProcess;
  stop(): Promise<void>;
}

/** Over UCX where the native part has it, else the proxy reads the directories itself. */
export async function startStack({ dataDir, volumeServer, hasUcx }: StackOptions): Promise<Stack> {
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
    const target = hasUcx ? await start('target', targetConfig(dataDir, volumeServer)) : undefined;
    const place =
      target === undefined ? `dirs = ["${dataDir}"]` : `target = "${target.bound['rdma']}"`;
    const proxy = await start('proxy', proxyConfig(volumeServer, hasUcx ? 'ucx' : 'inproc', place));
    return { target, proxy, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function targetConfig(dataDir: string, volumeServer: string): string {
  return `
[rdma]
listen = "127.0.0.1"
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
