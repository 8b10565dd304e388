/** The key that both roles share. */
import { choice, type Field } from './field.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export const logLevel: Field<LogLevel> = choice('level', 'info', logLevels);
