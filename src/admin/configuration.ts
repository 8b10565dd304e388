/**
 * The admin listener's account of a role's configuration: when it was read, and how it differs from the one that runs.
 */
import type { HealthCheck } from './check.ts';

export interface ReloadStatus {
  /** ISO 8601. */
  readonly at: string;
  readonly ok: boolean;
  readonly applied: readonly object[];
  readonly needRestart: readonly { readonly key: string }[];
  /** The mistakes in the file. */
  readonly problems: readonly object[];
}

export interface ConfigurationStatus {
  /** When the role was started; ISO 8601. */
  readonly loadedAt: string;
  readonly reloads: number;
  readonly reloadFailures: number;
  readonly lastSuccessAt: string;
  /** null: none yet. */
  readonly lastReload: ReloadStatus | null;
}

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
