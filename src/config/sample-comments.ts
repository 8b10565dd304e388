/**
 * Descriptions of the keys from the comments of the sample files: the single source of the one-line descriptions. A
 * comment stands behind its key, its section or its table, which may itself be commented out.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Descriptions } from './json-schema.ts';

const header = /^(?:# )?\[\[?([\w.]+)\]\]?(?:\s+#\s*(.+))?$/;
const assignment = /^(?:# )?([a-z_]+) = [^#]*(?:#\s*(.+))?$/;

/** Keys of tables without the table's own name, as in `cache.collection.lease`. */
export function commentsOf(toml: string): Descriptions {
  const found = new Map<string, string>();
  let section = '';
  for (const line of toml.split('\n')) {
    const opened = header.exec(line);
    if (opened !== null) {
      section = (opened[1] ?? '').split('.').slice(0, 2).join('.');
      remember(found, section, opened[2]);
      continue;
    }
    const assigned = assignment.exec(line);
    if (assigned !== null) remember(found, `${section}.${assigned[1]}`, assigned[2]);
  }
  return found;
}

/** None where the sample files are not installed, as in an image that holds the program alone. */
export function sampleComments(role: 'proxy' | 'target'): Descriptions {
  // Two levels below the package root, both as source (src/config) and compiled (dist/config).
  const file = join(import.meta.dirname, '..', '..', 'config', `${role}.toml`);
  try {
    return commentsOf(readFileSync(file, 'utf8'));
  } catch {
    return new Map();
  }
}

function remember(found: Map<string, string>, key: string, comment: string | undefined): void {
  if (comment !== undefined && !found.has(key)) found.set(key, comment.trim());
}
