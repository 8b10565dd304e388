/** `seaweed-rdma origin`: logs its own ready line. */
import { startOrigin } from '../origin/origin-server.ts';
import { runRole } from './role.ts';

export async function runOriginRole(
  dirs: readonly string[],
  listen: { readonly host: string; readonly port: number },
): Promise<void> {
  await runRole('origin', 'info', async (logger) => {
    const origin = await startOrigin({ dirs, listen, logger });
    return { bound: undefined, close: () => origin.close() };
  });
}
