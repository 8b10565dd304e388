/** What a RoCE device in software has counted since it was made (rdma_rxe). */
import { readFileSync } from 'node:fs';

/** `sent_pkts`: packets; `rdma_sends`: messages whose bytes land in the receiver's own buffers. */
export function counted(device: string, counter: 'sent_pkts' | 'rdma_sends'): number {
  const file = `/sys/class/infiniband/${device}/ports/1/hw_counters/${counter}`;
  return Number(readFileSync(file, 'utf8'));
}
