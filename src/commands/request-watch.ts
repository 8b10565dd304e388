/** What looks on while a proxy's requests run: their log, with its bounds. */
import type { ProxyLoggingSettings } from '../config/logging.ts';
import type { RequestWatch } from '../proxy/request-watch.ts';
import { LimitedLog } from '../telemetry/limited-log.ts';
import { RequestLog } from '../telemetry/request-log.ts';
import type { Logger } from './log.ts';

export interface RunningWatch extends RequestWatch {
  /** What can change while the role runs. */
  configure(settings: ProxyLoggingSettings): void;
  /** When no request is left. */
  close(): Promise<void>;
}

export async function startWatch(
  logger: Logger,
  settings: ProxyLoggingSettings,
): Promise<RunningWatch> {
  const log = new LimitedLog(logger, settings.troublePerMinute);
  const requests = new RequestLog(logger, log, requestLogOptions(settings));
  return {
    observe: (record) => requests.observe(record),
    isTimed: false,
    log,
    suppressedLines: () => log.suppressedLines,
    configure(next) {
      log.linesPerMinute = next.troublePerMinute;
      requests.options = requestLogOptions(next);
    },
    async close() {
      log.close();
    },
  };
}

function requestLogOptions({
  requests,
  requestSample: sample,
}: ProxyLoggingSettings): ConstructorParameters<typeof RequestLog>[2] {
  return { requests, sample };
}
