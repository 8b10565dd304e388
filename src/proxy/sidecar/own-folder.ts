/**
 * Whether files in a folder stay what this process made them: no other user may rename or replace them or the folder, or
 * choose the folder by a link on the way to it.
 */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';

const writableByOthers = 0o022;
const sticky = 0o1000;
const root = 0;
/** Linux follows so many links in one path. */
const linksMax = 40;

/**
 * Follows an absolute path as the kernel does.
 *
 * @returns undefined: it may be used, or what is missing of it may be made; else why not, and what to do
 */
export function foreignFolder(path: string, uid: number): string | undefined {
  const names = namesOf(path);
  let at = '/';
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const why = foreignAbove(at, path, uid);
    if (why !== undefined) return why;
    const next = name === '..' ? dirname(at) : join(at, name);
    const stats = lstatSync(next, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (!stats.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (stats.uid !== uid && stats.uid !== root) {
      return `"${next}" is a symbolic link of user ${stats.uid}, who chooses with it where the files go: remove it, or name a folder that only links of root and user ${uid} lead to`;
    }
    links += 1;
    if (links > linksMax) return `"${path}" leads through more than ${linksMax} symbolic links`;
    const target = readlinkSync(next);
    if (target.startsWith('/')) at = '/';
    names.unshift(...namesOf(target));
  }
  return foreignItself(at, uid);
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function foreignItself(dir: string, uid: number): string | undefined {
  const own = lstatSync(dir);
  if (own.uid !== uid) {
    return `"${dir}" belongs to user ${own.uid}, not to this process (user ${uid}): its owner can replace what clients read; remove it, or name another folder`;
  }
  if ((own.mode & writableByOthers) !== 0) {
    return `others may write to "${dir}" (mode ${octal(own)}), and so replace what clients read: chmod 0711 "${dir}"`;
  }
  return undefined;
}

function foreignAbove(at: string, path: string, uid: number): string | undefined {
  const stats = lstatSync(at);
  if (stats.uid !== uid && stats.uid !== root) {
    return `"${at}", above "${path}", belongs to user ${stats.uid}, who can put another folder in its place: name a folder below those of root and user ${uid}`;
  }
  // In a sticky folder users move only their own files.
  if ((stats.mode & writableByOthers) !== 0 && (stats.mode & sticky) === 0) {
    return `others may write to "${at}" (mode ${octal(stats)}), above "${path}", and put another folder in its place: chmod go-w "${at}", or name another folder`;
  }
  return undefined;
}

function octal({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
