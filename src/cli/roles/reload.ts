/** The configuration of a running role: what it was started with, what SIGHUP changed, what waits for a restart. */
import type { EffectiveKey } from '../../config/effective-keys.ts';
import { ConfigError, type ConfigProblem } from '../../config/problem.ts';
import type { Logger } from './log.ts';

interface LoadedConfig {
  readonly keys: readonly EffectiveKey[];
  readonly warnings: readonly string[];
}

export interface KeyChange {
  readonly key: string;
  /** The value as it was written; null: not there. For a secret, the file's name. */
  readonly old: unknown;
  readonly new: unknown;
  /** The file that the key names holds something else now. */
  readonly contentChanged?: true;
}

export interface ReloadReport {
  /** ISO 8601. */
  readonly at: string;
  readonly ok: boolean;
  /** In effect from now on. */
  readonly applied: readonly KeyChange[];
  /** Keys whose running value (`old`) differs from the file's (`new`), now or since an earlier reload. */
  readonly needRestart: readonly KeyChange[];
  readonly unchanged: number;
  /** The file's mistakes; if there are any, nothing was changed. */
  readonly problems: readonly ConfigProblem[];
}

/** The status in the form that src/admin/configuration.ts takes. */
export interface LiveStatus {
  readonly loadedAt: string;
  readonly reloads: number;
  readonly reloadFailures: number;
  readonly lastSuccessAt: string;
  readonly lastReload: ReloadReport | null;
}

export interface ReloadPlan<Config> {
  readonly load: () => Config;
  /** Keys that take effect at once. */
  readonly reloadable: readonly string[];
  /** Those of them that `next` changes too far for that. */
  readonly keysThatWait?: (next: Config) => readonly string[];
  /** Contents of the named files, by the key that names them; compared and never shown. */
  readonly contents: (config: Config) => Readonly<Record<string, string | undefined>>;
}

export class LiveConfiguration<Config extends LoadedConfig> {
  readonly #plan: ReloadPlan<Config>;
  readonly #loadedAt = new Date().toISOString();
  /** Key → what runs. */
  readonly #running: Map<string, unknown>;
  readonly #contents: Map<string, string | undefined>;
  #current: Config;
  #reloads = 0;
  #failures = 0;
  #lastSuccessAtMs = Date.now();
  #lastReload: ReloadReport | undefined;

  /** @throws ConfigError */
  constructor(plan: ReloadPlan<Config>) {
    this.#plan = plan;
    this.#current = plan.load();
    this.#running = new Map(this.#current.keys.map(({ key, value }) => [key, value]));
    this.#contents = new Map(Object.entries(plan.contents(this.#current)));
  }

  /** The last one that was read without error: of its keys only the reloadable ones are in effect. */
  get current(): Config {
    return this.#current;
  }

  /** The running configuration, key by key, whatever the file says by now. */
  get keys(): readonly EffectiveKey[] {
    const rows = new Map(this.#current.keys.map((row) => [row.key, row]));
    return [...this.#running].map(([key, value]) => {
      const row = rows.get(key);
      if (row !== undefined && same(row.value, value)) return row;
      return { key, value, from: 'before the last reload' };
    });
  }

  /** For /stats, /health and the metrics. */
  status(): LiveStatus {
    return {
      loadedAt: this.#loadedAt,
      reloads: this.#reloads,
      reloadFailures: this.#failures,
      lastSuccessAt: new Date(this.#lastSuccessAtMs).toISOString(),
      lastReload: this.#lastReload ?? null,
    };
  }

  /** `apply` is called with a configuration without error. A file with errors changes nothing. */
  reload(logger: Logger, apply: (next: Config) => void): void {
    this.#reloads += 1;
    try {
      const next = this.#plan.load();
      this.#current = next;
      apply(next);
      this.#lastReload = this.#compare(next);
      this.#lastSuccessAtMs = Date.now();
      for (const warning of next.warnings) logger.warn({ event: 'configuration' }, warning);
      logReport(logger, this.#lastReload);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#failures += 1;
      const needRestart = this.#lastReload?.needRestart ?? [];
      const unchanged = this.#running.size;
      const { problems } = error;
      const at = new Date().toISOString();
      this.#lastReload = { at, ok: false, applied: [], needRestart, unchanged, problems };
      const message = `nothing was changed: ${error.message}`;
      logger.error({ event: 'reload-failed', problems }, message);
    }
  }

  #compare(next: Config): ReloadReport {
    const values = new Map(next.keys.map(({ key, value }) => [key, value]));
    const contents = this.#plan.contents(next);
    const waiting = this.#plan.keysThatWait?.(next) ?? [];
    const applied: KeyChange[] = [];
    const needRestart: KeyChange[] = [];
    const names = new Set([...this.#running.keys(), ...values.keys()]);
    for (const key of names) {
      const change = this.#change(key, values.get(key), contents[key]);
      if (change === undefined) continue;
      if (!this.#plan.reloadable.includes(key) || waiting.includes(key)) {
        needRestart.push(change);
        continue;
      }
      applied.push(change);
      if (values.has(key)) this.#running.set(key, values.get(key));
      else this.#running.delete(key);
      this.#contents.set(key, contents[key]);
    }
    const unchanged = names.size - applied.length - needRestart.length;
    const at = new Date().toISOString();
    return { at, ok: true, applied, needRestart, unchanged, problems: [] };
  }

  #change(key: string, value: unknown, content: string | undefined): KeyChange | undefined {
    const old = this.#running.get(key);
    const isOther = this.#contents.get(key) !== content;
    if (same(old, value) && !isOther) return undefined;
    const change = { key, old: old ?? null, new: value ?? null };
    return isOther ? { ...change, contentChanged: true } : change;
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function logReport(logger: Logger, { applied, needRestart, unchanged }: ReloadReport): void {
  logger.info({ event: 'reload', applied, needRestart, unchanged }, 'the configuration was read');
  if (needRestart.length === 0) return;
  const keys = needRestart.map(({ key }) => key);
  logger.warn({ event: 'restart-needed', keys }, 'these keys take effect at the next start');
}
