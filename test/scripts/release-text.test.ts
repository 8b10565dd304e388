/** What a release writes: the sections of CHANGELOG.md, and the version wherever it is named. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { notesOf, withRelease } from '../../scripts/release/changelog.ts';
import {
  checkNextVersion,
  type VersionPlace,
  versionPlaces,
  withVersion,
} from '../../scripts/release/version.ts';

const root = join(import.meta.dirname, '..', '..');

const changelog = `# Changelog

## Unreleased

### Added

- A feature, in
  two lines.

## 0.1.0 - 2026-01-02

- The first version.
`;

describe('CHANGELOG.md', () => {
  test('has what was unreleased under the version, and an empty Unreleased above', () => {
    const text = withRelease(changelog, '0.2.0', '2026-02-03');
    expect(text).toBe(`# Changelog

## Unreleased

## 0.2.0 - 2026-02-03

### Added

- A feature, in
  two lines.

## 0.1.0 - 2026-01-02

- The first version.
`);
    expect(notesOf(text, '0.2.0')).toBe('### Added\n\n- A feature, in\n  two lines.');
    expect(notesOf(text, '0.1.0')).toBe('- The first version.');
  });

  test('is refused without a section, without a change, and where the version is there already', () => {
    const date = '2026-02-03';
    expect(() => withRelease('# Changelog\n', '0.2.0', date)).toThrow('no section "## Unreleased"');
    const released = withRelease(changelog, '0.2.0', date);
    expect(() => withRelease(released, '0.3.0', date)).toThrow('names no change');
    expect(() => withRelease(changelog, '0.1.0', date)).toThrow('already has a section of 0.1.0');
    expect(() => notesOf(changelog, '0.1')).toThrow('no section of 0.1');
  });

  test('of this checkout can be released', () => {
    const text = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
    expect(withRelease(text, '999.0.0', '2026-02-03')).toContain('\n## 999.0.0 - 2026-02-03\n');
  });
});

describe('the next version', () => {
  test.each([
    ['0.1.0', '0.1.1'],
    ['0.9.0', '0.10.0'],
    ['1.2.3', '2.0.0-rc.1'],
    ['2.0.0-rc.1', '2.0.0-rc.2'],
    ['2.0.0-rc.2', '2.0.0'],
  ])('after %s may be %s', (current, next) => {
    expect(() => checkNextVersion(current, next)).not.toThrow();
  });

  test.each([
    ['0.1.0', '0.1.0'],
    ['0.10.0', '0.9.0'],
    ['2.0.0', '2.0.0-rc.1'],
    ['2.0.0-rc.1', '2.0.0-rc.1'],
  ])('after %s is not %s', (current, next) => {
    expect(() => checkNextVersion(current, next)).toThrow(`${next} is not above ${current}`);
  });

  test.each(['', 'v1.2.3', '1.2', '1.2.3.4', '01.2.3', '1.2.3-', '1.2.3 '])(
    'is not "%s"',
    (next) => {
      expect(() => checkNextVersion('0.1.0', next)).toThrow('is no version');
    },
  );
});

describe('a place that names the version', () => {
  const place: VersionPlace = { file: 'compose.yaml', before: 'image: ' };
  const change = { from: '1.2.3', to: '1.3.0' };

  test('gets the new one, each time, and other versions stay', () => {
    const text = 'image: 1.2.3, image: 1.2.3.\nimage: 1.2.3-rc.1 image: 1.2.34 other: 1.2.3';
    expect(withVersion(text, place, change)).toBe(
      'image: 1.3.0, image: 1.3.0.\nimage: 1.2.3-rc.1 image: 1.2.34 other: 1.2.3',
    );
  });

  test('is missed where it is gone', () => {
    expect(() => withVersion('image: 1.2.34', place, change)).toThrow(
      'compose.yaml does not name "image: 1.2.3"',
    );
  });

  test.each(versionPlaces)('is $file, after "$before"', ({ file, before }) => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly version: string;
    };
    const text = readFileSync(join(root, file), 'utf8');
    const change = { from: version, to: '999.0.0' };
    expect(withVersion(text, { file, before }, change)).toContain(`${before}999.0.0`);
  });
});
