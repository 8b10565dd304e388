/** CHANGELOG.md in the form of Keep a Changelog: one "##" section for a version, the one to come on top. */
import { ReleaseProblem } from './problem.ts';

const unreleased = 'Unreleased';

interface Section {
  readonly title: string;
  readonly body: string;
}

/** Makes the unreleased changes the version's section; an empty Unreleased stays above it. `date`: YYYY-MM-DD. */
export function withRelease(text: string, version: string, date: string): string {
  const found = sections(text).find(({ title }) => title === unreleased);
  if (found === undefined) {
    throw new ReleaseProblem(`CHANGELOG.md has no section "## ${unreleased}"`);
  }
  if (!/^[-*] /m.test(found.body)) {
    throw new ReleaseProblem(`CHANGELOG.md names no change under "## ${unreleased}"`);
  }
  if (sections(text).some(({ title }) => isOf(title, version))) {
    throw new ReleaseProblem(`CHANGELOG.md already has a section of ${version}`);
  }
  return text.replace(`## ${unreleased}\n`, `## ${unreleased}\n\n## ${version} - ${date}\n`);
}

/** Changes of a version, without its heading. */
export function notesOf(text: string, version: string): string {
  const found = sections(text).find(({ title }) => isOf(title, version));
  if (found === undefined) {
    throw new ReleaseProblem(`CHANGELOG.md has no section of ${version}`);
  }
  return found.body.trim();
}

function isOf(title: string, version: string): boolean {
  return title === version || title.startsWith(`${version} - `);
}

function sections(text: string): readonly Section[] {
  return [...text.matchAll(/^## (.+)\n((?:(?!^## ).*\n?)*)/gm)].map(
    ([, title = '', body = '']) => ({
      title: title.trim(),
      body,
    }),
  );
}
