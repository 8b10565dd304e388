import { expect, test } from 'vitest';
import type { EffectiveKey } from '../../config/effective-keys.ts';
import { ConfigError } from '../../config/problem.ts';
import type { Logger } from './log.ts';
import { LiveConfiguration } from './reload.ts';

interface Config {
  readonly keys: readonly EffectiveKey[];
  readonly warnings: readonly string[];
  readonly token: string | undefined;
}

function config(values: Readonly<Record<string, unknown>>, token?: string): Config {
  const keys = Object.entries(values).map(([key, value]) => ({ key, value, from: 'f:1' }));
  return { keys, token, warnings: [] };
}

/** Collects the logged fields, without the texts. */
function logged(): { readonly logger: Logger; readonly lines: object[] } {
  const lines: object[] = [];
  const log = (fields: object): void => {
    lines.push(fields);
  };
  return { logger: { info: log, warn: log, error: log } as unknown as Logger, lines };
}

function live(first: Config): {
  live: LiveConfiguration<Config>;
  next: (config: Config) => object[];
} {
  let loaded: Config | ConfigError = first;
  const subject = new LiveConfiguration<Config>({
    load: () => {
      if (loaded instanceof ConfigError) throw loaded;
      return loaded;
    },
    reloadable: ['a.live', 'admin.token_file'],
    contents: ({ token }) => ({ 'admin.token_file': token }),
  });
  return {
    live: subject,
    next(config) {
      loaded = config;
      const { logger, lines } = logged();
      subject.reload(logger, () => undefined);
      return lines;
    },
  };
}

test('what runs keeps its value, and the list of keys says so, until a restart', () => {
  const { live: subject, next } = live(config({ 'a.live': 1, 'a.fixed': 1 }));
  next(config({ 'a.live': 2, 'a.fixed': 2, 'a.new': 3 }));
  expect(subject.keys).toEqual([
    { key: 'a.live', value: 2, from: 'f:1' },
    { key: 'a.fixed', value: 1, from: 'before the last reload' },
  ]);
  expect(subject.status().lastReload?.needRestart).toEqual([
    { key: 'a.fixed', old: 1, new: 2 },
    { key: 'a.new', old: null, new: 3 },
  ]);
  next(config({ 'a.live': 2 }));
  expect(subject.keys).toEqual([
    { key: 'a.live', value: 2, from: 'f:1' },
    { key: 'a.fixed', value: 1, from: 'before the last reload' },
  ]);
  expect(subject.status().lastReload?.needRestart).toEqual([{ key: 'a.fixed', old: 1, new: null }]);
});

test('a secret that changed is told, and neither the old nor the new one is', () => {
  const file = { 'admin.token_file': '/t' };
  const { live: subject, next } = live(config(file, 'old secret'));
  const lines = next(config(file, 'new secret'));
  expect(lines).toMatchObject([
    { applied: [{ key: 'admin.token_file', old: '/t', new: '/t', contentChanged: true }] },
  ]);
  expect(JSON.stringify([lines, subject.status(), subject.keys])).not.toContain('secret');
  expect(next(config(file, 'new secret'))).toMatchObject([{ applied: [], unchanged: 1 }]);
});
