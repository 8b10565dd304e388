/**
 * Ports for SeaweedFS programs: each has its gRPC port 10,000 above its HTTP port. Both lie below the range from which
 * Linux takes the ports of outgoing connections, so that no client's connection holds one of them.
 */
import { createServer } from 'node:net';

export const grpcOffset = 10_000;
const lowest = 12_000;
const highest = 22_000;
const triesMax = 1_000;
/** The volume server's own address, and the one that it announces. */
const addresses = ['127.0.0.1', '127.0.0.2'];

/** HTTP ports; they and their gRPC ports are free on both addresses. */
export async function pairedPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let i = 0; i < triesMax && ports.size < count; i += 1) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) ports.add(port);
  }
  if (ports.size < count) throw new Error(`fewer than ${count} pairs of ports are free`);
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  for (const host of addresses) {
    for (const each of [port, port + grpcOffset]) {
      if (!(await canListen(host, each))) return false;
    }
  }
  return true;
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
