/**
 * The admin listener's account of a role's configuration: when it was read, and how it differs from the one that runs.
 */
import {
  anything,
  count,
  described,
  flag,
  list,
  nullable,
  optional,
  orAbsent,
  record,
  text,
  time,
  type ValueOf,
} from '../schema/json-schema.ts';
import type { HealthCheck } from './check.ts';

const keyChange = record({
  key: text,
  old: described(anything, "As it was written; null: not there. For a secret, the file's name."),
  new: anything,
  contentChanged: described(
    optional(flag),
    'The file that the key names holds something else now.',
  ),
});

const problem = record({
  source: described(text, 'The file, or the environment variable.'),
  line: described(orAbsent(count), 'From 1; absent where no line says it.'),
  column: optional(described(count, 'From 1, where it is known better than by the key.')),
  key: described(text, "Dotted; '' where the file as a whole is meant."),
  message: text,
});

export const configurationStatus = record({
  loadedAt: described(time, 'When the role was started.'),
  reloads: count,
  reloadFailures: count,
  lastSuccessAt: time,
  lastReload: described(
    nullable(
      record({
        at: time,
        ok: flag,
        applied: described(list(keyChange), 'In effect from then on.'),
        needRestart: described(list(keyChange), 'In effect at the next start.'),
        unchanged: count,
        problems: described(list(problem), 'The mistakes in the file.'),
      }),
    ),
    'null: none yet.',
  ),
});
export type ConfigurationStatus = ValueOf<typeof configurationStatus>;

/** A file with errors is what an operator thinks is in effect, and is not. */
export function configurationCheck({
  loadedAt,
  reloads,
  lastReload,
}: ConfigurationStatus): HealthCheck {
  const facts = { loadedAt, reloads, lastReload };
  if (lastReload === null) return { status: 'ok', detail: 'as at the start', ...facts };
  if (!lastReload.ok) {
    const detail = `the file has ${lastReload.problems.length} errors: what was read before is in effect`;
    return { status: 'degraded', detail, ...facts };
  }
  const waiting = lastReload.needRestart.map(({ key }) => key);
  const detail =
    waiting.length === 0 ? 'as in the file' : `waits for a restart: ${waiting.join(', ')}`;
  return { status: 'ok', detail, ...facts };
}
