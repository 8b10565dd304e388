/** Observers of a proxy's requests: their log, with its bounds, and traces where OTEL_* asks for them. */
import type { ProxyLoggingSettings } from '../../config/logging.ts';
import type { RequestWatch } from '../../proxy/proxy-options.ts';
import { LimitedLog } from '../../telemetry/limited-log.ts';
import { RequestLog } from '../../telemetry/request-log.ts';
import { startTraces, tracesAsked } from '../../telemetry/traces.ts';
import { packageVersion } from '../version.ts';
import type { Logger } from './log.ts';

export interface RunningWatch extends RequestWatch {
  /** Settings that can change while the role runs. */
  configure(settings: ProxyLoggingSettings): void;
  /** When no request is left. */
  close(): Promise<void>;
}

/** For the last spans, behind everything that was drained. */
const tracesTimeoutMs = 5_000;

export async function startWatch(
  logger: Logger,
  settings: ProxyLoggingSettings,
  environment: NodeJS.ProcessEnv,
): Promise<RunningWatch> {
  const log = new LimitedLog(logger, settings.troublePerMinute);
  const requests = new RequestLog(logger, log, requestLogOptions(settings));
  const traces = tracesAsked(environment)
    ? await startTraces({
        serviceName: 'seaweed-rdma-proxy',
        version: packageVersion(),
        environment,
        log,
      })
    : undefined;
  const spans = traces?.spans;
  return {
    observe:
      spans === undefined
        ? (record) => requests.observe(record)
        : (record) => {
            requests.observe(record);
            spans.observe(record);
          },
    observeSome: (record, weight) => requests.observeSome(record, weight),
    mustSeeAll: () => spans !== undefined || requests.isOfAll,
    isTimed: spans !== undefined,
    log,
    suppressedLines: () => log.suppressedLines,
    configure(next) {
      log.linesPerMinute = next.troublePerMinute;
      requests.options = requestLogOptions(next);
    },
    async close() {
      await traces?.close(tracesTimeoutMs);
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
