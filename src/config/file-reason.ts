/** Why a named file cannot be read, in words that name the file. */
import { isAbsolute } from 'node:path';

export function fileReason(file: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const place = isAbsolute(file) ? '' : ` (a relative path: looked for in ${process.cwd()})`;
  switch (code) {
    case 'ENOENT':
      return `there is no file "${file}"${place}`;
    case 'ENOTDIR':
      return `a part of "${file}" is no directory${place}`;
    case 'EISDIR':
      return `"${file}" is a directory${place}`;
    case 'EACCES':
    case 'EPERM':
      return `this user may not read "${file}"${place}`;
    default:
      return message;
  }
}
