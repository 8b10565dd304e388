/** [logging]: what both roles share, and what the proxy says of requests. */
import { choice, type Field, type Fields, integer } from './field.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export const logLevel: Field<LogLevel> = choice('level', 'info', logLevels);

export interface LoggingSettings {
  readonly level: LogLevel;
  readonly format: 'auto' | 'json' | 'pretty';
  readonly troublePerMinute: number;
}

export interface ProxyLoggingSettings extends LoggingSettings {
  readonly requests: 'off' | 'trouble' | 'sampled' | 'all';
  readonly requestSample: number;
}

export const loggingFields: Fields<LoggingSettings> = {
  level: logLevel,
  format: choice('format', 'auto', ['auto', 'json', 'pretty']),
  troublePerMinute: integer('trouble_per_minute', 60, { min: 0, max: 1_000_000 }),
};

export const proxyLoggingFields: Fields<ProxyLoggingSettings> = {
  ...loggingFields,
  requests: choice('requests', 'trouble', ['off', 'trouble', 'sampled', 'all']),
  requestSample: integer('request_sample', 100, { min: 1, max: 1_000_000_000 }),
};
