/**
 * OpenTelemetry's SDK, set up by its own OTEL_* variables: loaded only where they ask for traces. Only traces: metrics
 * are scraped, and the log is the role's stdout.
 */
import type { EventFields } from './limited-log.ts';
import { RequestSpans } from './request-spans.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface TracesOptions {
  readonly serviceName: string;
  readonly version: string;
  readonly environment: Environment;
  /** Takes the SDK's warnings, such as that no collector takes its spans. */
  readonly log: { warn(fields: EventFields, message: string): void };
}

export interface Traces {
  readonly spans: RequestSpans;
  /** Sends what is left, within the time. */
  close(timeoutMs: number): Promise<void>;
}

/** True if the operator wants traces: an exporter or an endpoint is named, and nothing says no. */
export function tracesAsked(environment: Environment): boolean {
  if (environment['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  const exporter = environment['OTEL_TRACES_EXPORTER']?.trim() ?? '';
  if (exporter !== '') return exporter !== 'none';
  return ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'].some(
    (name) => (environment[name] ?? '') !== '',
  );
}

export async function startTraces(options: TracesOptions): Promise<Traces> {
  const { environment, serviceName, version } = options;
  const [api, { NodeSDK }] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-node'),
  ]);
  const isNamed =
    (environment['OTEL_SERVICE_NAME'] ?? '') !== '' ||
    /(^|,)\s*service\.name=/.test(environment['OTEL_RESOURCE_ATTRIBUTES'] ?? '');
  const sdk = new NodeSDK({
    metricReaders: [],
    logRecordProcessors: [],
    ...(!isNamed && { serviceName }),
  });
  // After the SDK's own, which writes to the console.
  api.diag.setLogger(diagLogger(options.log), {
    logLevel: api.DiagLogLevel.WARN,
    suppressOverrideMessage: true,
  });
  sdk.start();
  return {
    spans: new RequestSpans(api, api.trace.getTracer('seaweed-rdma', version)),
    async close(timeoutMs) {
      await Promise.race([
        sdk.shutdown().catch((error: unknown) => {
          options.log.warn({ event: 'traces', error }, 'not every span could be sent');
        }),
        new Promise((resolve) => setTimeout(resolve, timeoutMs).unref()),
      ]);
    },
  };
}

function diagLogger(log: TracesOptions['log']): import('@opentelemetry/api').DiagLogger {
  const say = (message: string): void => {
    log.warn({ event: 'traces', detail: message.slice(0, 1_000) }, 'OpenTelemetry reports a fault');
  };
  const nothing = (): void => undefined;
  return { error: say, warn: say, info: nothing, debug: nothing, verbose: nothing };
}
