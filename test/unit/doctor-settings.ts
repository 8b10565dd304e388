/** Settings of a proxy as its defaults give them, for the doctor's judgement. */
import type { Settings } from '../../src/cli/doctor/setup.ts';

export function settingsWith(changes: Partial<Settings>): Settings {
  return {
    role: 'proxy',
    mode: 'prefer',
    transport: 'ucx',
    deviceName: 'auto',
    isNetworkTrusted: false,
    isTlsOff: false,
    tls: 'auto',
    connectTimeoutMs: 1000,
    secret: '',
    targets: [{ host: '10.0.0.1', port: 18515, volumeServerUrl: 'http://10.0.0.1:8080' }],
    targetKey: 'rdma.target',
    volumeServers: ['http://10.0.0.1:8080'],
    volumeServerKey: 'seaweedfs.volume_server_url',
    memory: {
      key: 'memory.size',
      bytes: 512 * 2 ** 20,
      hugepagesKey: 'memory.hugepages',
      hugepages: 'try',
    },
    descriptors: { key: 'limits.connections', count: 20_000 },
    listeners: [],
    storage: undefined,
    tempFiles: undefined,
    readKey: undefined,
    hasAdminToken: false,
    admin: { address: '127.0.0.1:8081', token: undefined },
    adminHost: '127.0.0.1',
    insecure: false,
    ...changes,
  };
}
