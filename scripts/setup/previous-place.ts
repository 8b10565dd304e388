/** Where set-up builds the version before this one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const build = join(import.meta.dirname, '..', '..', 'build');

export const previousPlace = {
  folder: join(build, 'previous'),
  /** Written when the version is whole. */
  stamp: join(build, '.previous-stamp'),
} as const;

/** The root of that version; undefined: set-up could not build it. */
export function previousVersion(): string | undefined {
  return existsSync(previousPlace.stamp) ? previousPlace.folder : undefined;
}
