/** A configuration file named on the command line; `-` is standard input. */
import { readFileSync } from 'node:fs';
import { type ConfigSource, textOfSource } from '../../config/settings.ts';

const standardInput = 0;

/** @throws ConfigError when it cannot be read. */
export function readConfigArgument(file: string): Extract<ConfigSource, object> {
  if (file !== '-') return { name: file, text: textOfSource(file) };
  return { name: '(standard input)', text: readFileSync(standardInput, 'utf8') };
}
