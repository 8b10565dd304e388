/** What a new configuration changes in a running role, and what needs a restart. */
import type { Logger } from './log.ts';

/** Dotted names of the values that differ. Lists and tables in lists are compared whole. */
export function changedKeys(before: object, after: object, prefix = ''): string[] {
  const changed: string[] = [];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  for (const name of names) {
    const was: unknown = before[name as keyof typeof before];
    const is: unknown = after[name as keyof typeof after];
    if (isTable(was) && isTable(is)) changed.push(...changedKeys(was, is, `${prefix}${name}.`));
    else if (JSON.stringify(was) !== JSON.stringify(is)) changed.push(`${prefix}${name}`);
  }
  return changed;
}

/** Logs names alone: values may be secrets. */
export function logReload(
  logger: Logger,
  changed: readonly string[],
  reloadable: readonly string[],
): void {
  const reloaded = changed.filter((key) => reloadable.includes(key));
  const needRestart = changed.filter((key) => !reloadable.includes(key) && key !== 'warnings');
  logger.info({ event: 'reload', reloaded, needRestart }, 'the configuration was read anew');
  if (needRestart.length > 0) {
    logger.warn({ event: 'restart-needed', keys: needRestart }, 'these change at the next start');
  }
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
