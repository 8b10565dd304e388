import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { refusalReasons } from './refusal.ts';

test('docs/sidecar.md explains every reason, and no other', () => {
  const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'sidecar.md');
  const page = readFileSync(file, 'utf8');
  const [, table = ''] = page.split('| reason | status | |');
  const rows = table.split('\n\n')[0]?.matchAll(/^\| ((?:`[a-z-]+`(?:, )?)+) \|/gm) ?? [];
  const written = [...rows].flatMap(([, names = '']) => names.replaceAll('`', '').split(', '));
  expect(written.toSorted()).toEqual([...refusalReasons].toSorted());
});
