/** The forms for issues: GitHub shows no form that it cannot read, and a bug comes with what the doctor says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createProgram } from '../../src/cli/program.ts';

interface Form {
  readonly name: string;
  readonly description: string;
  readonly body: readonly {
    readonly type: string;
    readonly id?: string;
    readonly attributes: Readonly<Record<string, unknown>>;
    readonly validations?: { readonly required: boolean };
  }[];
}

const folder = join(import.meta.dirname, '..', '..', '.github', 'ISSUE_TEMPLATE');
const forms = readdirSync(folder)
  .filter((file) => file !== 'config.yml')
  .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }));

function bodyOf(text: string): Form['body'] {
  return (parse(text) as Form).body;
}

describe('the forms for issues', () => {
  test.each(forms)('$file is one that GitHub shows', ({ text }) => {
    const { name, description, body } = parse(text) as Form;
    expect(`${name}: ${description}`.length).toBeGreaterThan(20);
    const fields = body.filter(({ type }) => type !== 'markdown');
    const ids = fields.map(({ id }) => id);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { type, attributes } of body) {
      expect(['markdown', 'textarea', 'input', 'dropdown', 'checkboxes']).toContain(type);
      expect(attributes[type === 'markdown' ? 'value' : 'label']).toMatch(/\S/);
    }
  });

  test.each(forms)('$file names commands that there are', ({ text }) => {
    const known = new Set(createProgram(() => undefined).commands.map((each) => each.name()));
    const named = [...text.matchAll(/seaweed-rdma ([a-z]+)/g)].map(([, name = '']) => name);
    expect(named).toContain('doctor');
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('a bug needs what the doctor says, and points to the private way for vulnerabilities', () => {
    const text = forms.find(({ file }) => file === 'bug.yml')?.text ?? '';
    const doctor = bodyOf(text).find(({ id }) => id === 'doctor');
    expect(doctor?.attributes['label']).toBe('seaweed-rdma doctor --json');
    expect(doctor?.validations?.required).toBe(true);
    expect(text).toContain('private security advisory');
  });
});
