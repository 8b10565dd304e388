// Target and proxy in front of the volume server: the product as an operator would start it, on free loopback ports.
import { startRole } from '../role-process.ts';

/** Over UCX where the native part has it, else the proxy reads the directories itself. */
export async function startStack({ dataDir, volumeServer, hasUcx }) {
  const roles = [];
  const start = async (role, config) => {
    const running = await startRole(role, { config });
    roles.unshift(running);
    return running;
  };
  const stop = async () => {
    for (const role of roles) await role.stop();
  };
  try {
    const target = hasUcx ? await start('target', targetConfig(dataDir, volumeServer)) : undefined;
    const place = hasUcx ? `target = "${target.bound.rdma}"` : `dirs = ["${dataDir}"]`;
    const proxy = await start('proxy', proxyConfig(volumeServer, hasUcx ? 'ucx' : 'inproc', place));
    return { target, proxy, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function targetConfig(dataDir, volumeServer) {
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

function proxyConfig(volumeServer, transport, place) {
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
