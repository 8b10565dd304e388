/** With transport = "inproc" there is no target to ask the volume server what it serves: the proxy does. */
import type { Logger } from 'pino';
import type { RdmaClient } from '../rdma/rdma-client.ts';
import { type Confirmation, startConfirmation } from '../volume-server/confirmation.ts';

export const confirmEveryMs = 1_000;

export function startInprocConfirmation(
  client: RdmaClient,
  volumeServerUrl: string,
  logger: Logger,
): Confirmation {
  return startConfirmation({
    volumeServerUrl,
    intervalMs: confirmEveryMs,
    onServed: (startedAgoMs, volumes) => client.confirm(startedAgoMs, volumes),
    onChange: ({ isOk, detail }) => {
      const fields = { event: isOk ? 'confirmed' : 'unconfirmed', url: volumeServerUrl, detail };
      if (isOk) logger.info(fields, 'the volume server confirms its volumes');
      else logger.warn(fields, 'the volume server does not confirm its volumes');
    },
  });
}
