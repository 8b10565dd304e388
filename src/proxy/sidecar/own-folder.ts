/**
 * Whether files in a folder stay what this process made them: no other user may rename or replace them, or the folder.
 */
import { lstatSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

const writableByOthers = 0o022;
const sticky = 0o1000;
const root = 0;

/** `dir`: as realpath tells it. undefined: it may be used; else why not, and what to do. */
export function foreignFolder(dir: string, uid: number): string | undefined {
  const own = lstatSync(dir);
  if (own.uid !== uid) {
    return `"${dir}" belongs to user ${own.uid}, not to this process (user ${uid}): its owner can replace what clients read; remove it, or name another folder`;
  }
  if ((own.mode & writableByOthers) !== 0) {
    return `others may write to "${dir}" (mode ${octal(own)}), and so replace what clients read: chmod 0711 "${dir}"`;
  }
  for (let at = dirname(dir), below = dir; at !== below; below = at, at = dirname(at)) {
    const stats = lstatSync(at);
    if (stats.uid !== uid && stats.uid !== root) {
      return `"${at}", above "${dir}", belongs to user ${stats.uid}, who can put another folder in its place: name a folder below those of root and user ${uid}`;
    }
    // In a sticky folder users move only their own files.
    if ((stats.mode & writableByOthers) !== 0 && (stats.mode & sticky) === 0) {
      return `others may write to "${at}" (mode ${octal(stats)}), above "${dir}", and put another folder in its place: chmod go-w "${at}", or name another folder`;
    }
  }
  return undefined;
}

function octal({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
