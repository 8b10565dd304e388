/** Small files of the kernel, read as they are; what is not there is undefined. */
import { readdirSync, readFileSync } from 'node:fs';

export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** One line without its end; undefined also where it is empty. */
export function readLine(file: string): string | undefined {
  const line = readText(file)?.trim();
  return line === '' ? undefined : line;
}

export function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
