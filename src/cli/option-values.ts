/** Values of command-line options: the same units as in the configuration, the same strictness. */
import { InvalidArgumentError, Option } from 'commander';
import { parseHttpOrigin, parseListen } from '../config/address.ts';
import { areUcxNames } from '../config/field.ts';
import { formatDuration, formatSize, parseDurationMs, parseSize } from '../config/units.ts';

export function sizeValue(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined)
    throw new InvalidArgumentError('It is a size such as 4KiB or 64MiB; a plain number is bytes.');
  return bytes;
}

export function ucxNamesValue(text: string): string {
  if (!areUcxNames(text)) throw new InvalidArgumentError('UCX knows no such names.');
  return text;
}

export function durationValue(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new InvalidArgumentError('It is a time such as 250us, 100ms or 2s.');
  return ms;
}

/** With its default as it would be written on the command line. */
export function sizeOption(flags: string, description: string, bytes: number): Option {
  return new Option(flags, description).argParser(sizeValue).default(bytes, formatSize(bytes));
}

export function timeOption(flags: string, description: string, ms: number): Option {
  return new Option(flags, description).argParser(durationValue).default(ms, formatDuration(ms));
}

export function countValue(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It is a count from 1.');
  return Number(text);
}

/** From 0 to what fits 32 bits. */
export function numberValue(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value < 2 ** 32)) throw new InvalidArgumentError('It is a whole number of 32 bits.');
  return value;
}

export function listenValue(text: string): { host: string; port: number } {
  const address = parseListen(text);
  if (address === undefined || !('host' in address)) {
    throw new InvalidArgumentError(
      'It is host:port, such as 127.0.0.1:8080 (port 0: any free one).',
    );
  }
  return address;
}

export function urlValue(text: string): string {
  const url = parseHttpOrigin(text);
  if (url === undefined)
    throw new InvalidArgumentError('It is a URL such as http://10.0.0.1:8080.');
  return url;
}

/** For options that may be given several times. */
export function collected(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
