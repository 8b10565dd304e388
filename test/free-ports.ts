import { type AddressInfo, createServer } from 'node:net';

/** Ports of loopback that nobody listens on, for programs that must be told theirs; somebody else may take them first. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Linux gives outgoing connections ports from 32,768 on by default. */
const steadyPortMin = 20_000;
const steadyPortMax = 32_000;

/**
 * A port of loopback for a program that is started again and again: while it is away, no connection of another program
 * gets it as its own end, not even one that looks for the program there.
 */
export async function steadyPort(): Promise<number> {
  for (;;) {
    const port = steadyPortMin + Math.floor(Math.random() * (steadyPortMax - steadyPortMin));
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
