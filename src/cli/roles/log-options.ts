/** `--log-format` of the roles. */
import { Option } from 'commander';
import type { LogFormat } from './log.ts';

export interface LogFormatOption {
  readonly logFormat?: LogFormat;
}

export function logFormatOption(): Option {
  return new Option(
    '--log-format <format>',
    'overrides logging.format; auto: pretty on a terminal, else json',
  ).choices(['auto', 'json', 'pretty']);
}
