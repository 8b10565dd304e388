/** `seaweed-rdma origin`: logs its own ready line. */
import { startOrigin } from '../../origin/origin-server.ts';
import type { LogFormatOption } from './log-options.ts';
import { runRole } from './role.ts';

export interface OriginRoleOptions extends LogFormatOption {
  readonly dir: readonly string[];
  readonly listen: { readonly host: string; readonly port: number };
}

export async function runOriginRole({ dir, listen, logFormat }: OriginRoleOptions): Promise<void> {
  const log = { level: 'info', format: logFormat ?? 'auto' };
  const place = { hostKey: '--listen', portKey: '--listen', address: listen };
  const fabric = {
    dirs: [{ key: '--dir', paths: dir }],
    memory: { key: 'memory.size', bytes: 0 },
    hugepagesKey: 'memory.hugepages',
    ucx: undefined,
  };
  const descriptors = { key: '--dir', count: 0, dirs: dir };
  await runRole('origin', log, { places: [place], fabric, descriptors }, async ({ logger }) => {
    const origin = await startOrigin({ dirs: dir, listen, logger });
    return { bound: undefined, close: () => origin.close() };
  });
}
