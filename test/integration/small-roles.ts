/** Configurations of a target without volumes and of a proxy beside no volume server: sessions, not reads, are what they are for. */

/** `rdma`: lines of its section, the port among them. */
export function targetToml(dir: string, ...rdma: readonly string[]): string {
  return `
[rdma]
${rdma.join('\n')}
buffer_size = "16MiB"
hugepages = "off"
[target]
dirs = ["${dir}"]
unconfirmed = true
[admin]
listen = "127.0.0.1:0"
`;
}

export interface ProxyPlace {
  /** host:port */
  readonly target: unknown;
  readonly host?: string;
}

/** `rdma`: more lines of its section. */
export function proxyToml(
  { target, host = '127.0.0.1' }: ProxyPlace,
  ...rdma: readonly string[]
): string {
  return `
[http]
listen = "${host}:0"
[seaweedfs]
volume_server_url = "http://127.0.0.1:9"
[rdma]
target = "${target}"
${rdma.join('\n')}
[memory]
size = "16MiB"
hugepages = "off"
[admin]
listen = "${host}:0"
`;
}
