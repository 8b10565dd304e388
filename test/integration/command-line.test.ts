/** The command line as a whole: help, examples, completion and man page tell of the same commands. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, describe, expect, test } from 'vitest';
import { type CommandEntry, commandTree } from '../../src/cli/command-tree.ts';
import { completionScript } from '../../src/cli/completion/completion.ts';
import { helpAfter, manPage } from '../../src/cli/man-page.ts';
import { createProgram } from '../../src/cli/program.ts';

const root = join(import.meta.dirname, '..', '..');
const tree = commandTree(createProgram(() => undefined));
const leaves = tree.filter(({ children }) => children.length === 0);

function titleOf({ path }: CommandEntry): string {
  return path.join(' ');
}

/** Lines of "Examples:" that are commands of this program, without what a shell does with them. */
function examplesOf(command: Command): string[] {
  const lines = (helpAfter(command).split(/^Examples?:$/m)[1] ?? '').split('\n');
  return lines
    .map((line) => /(?:^|[|(\s])seaweed-rdma ([^|>)#]*)/.exec(line)?.[1]?.split(/ {2,}/)[0]?.trim())
    .filter((example) => example !== undefined);
}

/** A program that parses and does nothing. */
function idleProgram(): Command {
  const program = createProgram(() => undefined);
  for (const { command, children } of commandTree(program)) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
    if (children.length === 0) command.action(() => undefined);
  }
  return program;
}

describe('every command', () => {
  test.each(leaves.map((entry) => [titleOf(entry), entry] as const))(
    '%s has a description, described options and examples that parse',
    async (_title, { command, options, args }) => {
      expect(command.description()).not.toBe('');
      for (const option of options) expect(option.description, option.flags).not.toBe('');
      for (const argument of args) expect(argument.description, argument.name()).not.toBe('');
      const examples = examplesOf(command);
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) {
        const words = example.split(/\s+/).map((word) => word.replace(/^['"]|['"]$/g, ''));
        await expect(
          idleProgram().parseAsync(words, { from: 'user' }),
          example,
        ).resolves.toBeDefined();
      }
    },
  );
});

const timesAndSizes = leaves.flatMap((entry) =>
  entry.options
    .filter(({ flags, defaultValue }) => /<(time|size)>/.test(flags) && defaultValue !== undefined)
    .map((option) => [`${titleOf(entry)} ${option.flags}`, option] as const),
);

test.each(timesAndSizes)('%s shows its default as it may be written', (_title, option) => {
  const shown = option.defaultValueDescription ?? '';
  expect(option.parseArg?.(shown, undefined)).toBe(option.defaultValue);
});

/** What bash offers when the tab key is pressed behind these words. */
function offered(...words: readonly string[]): string[] {
  const line = ['seaweed-rdma', ...words];
  const call = `COMP_WORDS=(${line.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${line.length - 1}
_seaweed_rdma; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const script = `${completionScript('bash', tree)}\n${call}`;
  const output = execFileSync('bash', ['--norc', '-c', script], { cwd: root, encoding: 'utf8' });
  return output.trim().split('\n');
}

describe('completion', () => {
  test('in bash offers commands, commands below them, and what an argument may be', () => {
    expect(offered('')).toEqual(tree[0]?.children);
    expect(offered('co')).toEqual(tree[0]?.children.filter((name) => name.startsWith('co')));
    expect(offered('config', '')).toEqual(['check', 'print', 'schema']);
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  test('in bash offers the options of the command, whatever stands between', () => {
    expect(offered('config', 'check', '--r')).toEqual(['--role']);
    expect(offered('ping', '--target', '127.0.0.1:1', '--se')).toEqual(['--secret-file']);
  });

  test("in bash offers an option's choices, and files where it takes a file", () => {
    expect(offered('config', 'check', '--role', '')).toEqual(['proxy', 'target']);
    expect(offered('proxy', '--config', 'config/pr')).toEqual(['config/proxy.toml']);
    expect(offered('config', 'check', 'config/pr')).toEqual(['config/proxy.toml']);
  });

  for (const shell of ['zsh', 'fish'] as const) {
    test(`for ${shell} is a script that it can read`, (context) => {
      const isThere = spawnSync(shell, ['--version']).error === undefined;
      context.skip(!isThere, `${shell} is not installed`);
      const script = completionScript(shell, tree);
      const folder = mkdtempSync(join(tmpdir(), 'completion-'));
      const file = join(folder, 'script');
      writeFileSync(file, script);
      expect(spawnSync(shell, ['-n', file], { encoding: 'utf8' }).stderr).toBe('');
      rmSync(folder, { recursive: true });
    });
  }

  test('for every shell names every command and option', () => {
    for (const shell of ['bash', 'zsh', 'fish'] as const) {
      const script = completionScript(shell, tree);
      const names = tree.flatMap(({ children, options }) => [
        ...children,
        ...options.flatMap(({ long }) => (long === undefined ? [] : [long.slice(2)])),
      ]);
      const missing = names.filter((name) => !script.includes(name));
      expect(missing, shell).toEqual([]);
    }
  });
});

describe('the man page', () => {
  const file = join(root, 'docs', 'man', 'seaweed-rdma.1');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

  test('is current', () => {
    const remedy = 'make it anew: npm run man';
    expect(readFileSync(file, 'utf8') === manPage(tree, version), remedy).toBe(true);
  });

  test('is read by groff without a complaint', (context) => {
    const isThere = spawnSync('groff', ['--version']).error === undefined;
    context.skip(!isThere, 'groff is not installed');
    const { stderr, stdout } = spawnSync('groff', ['-man', '-Tutf8', '-ww', file], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout).toContain('--target');
  });
});

describe('what other people wrote reaches a terminal as text', () => {
  const folder = mkdtempSync(join(tmpdir(), 'seaweed-rdma-shown-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const key = file('key.toml', '\u001b[31m = 1\n');
  const comment = file('comment.toml', '[http]\nlane = 3 # \u001b[8mhidden\u001b[0m\n');
  const quoted = file('quoted.toml', '"a\\u001b[31m\\nb" = 3\n');
  const program = join(root, 'bin', 'seaweed-rdma');
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['a key', ['config', 'check', key]],
    ['a comment', ['config', 'check', comment]],
    ['a quoted key', ['config', 'check', quoted]],
    ['a file that a role reads', ['proxy', '--config', quoted]],
    ["a file's name", ['config', 'check', '\u001b[31m.toml']],
    ["a role's file's name", ['proxy', '--config', '\u001b[31m.toml']],
    ['an option', ['read', '--\u001b[31mopt']],
    ["an option's value", ['stats', '--admin', '\u001b[31mopt']],
    ['a command', ['\u001b[31mopt']],
    ['an argument', ['read', '\u001b[31m3,01']],
  ];

  test.each(cases)('%s', (_, args) => {
    const { stdout, stderr, status } = spawnSync(program, args, { encoding: 'utf8' });
    expect(status).not.toBe(0);
    expect(stderr).toContain('\\u001b[');
    expect(`${stdout}${stderr}`.replace(/[\n\t]/g, '')).not.toMatch(/\p{Cc}/u);
  });

  test.for(cases.slice(0, 3))('%s, beside the colours of a terminal', ([, args], context) => {
    const isThere = spawnSync('script', ['--version']).error === undefined;
    context.skip(!isThere, 'script (util-linux) is not installed');
    const command = `env -u NO_COLOR ${[program, ...args].join(' ')}`;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
    const lines = stdout.split('\r\n').filter((line) => line !== '');
    const red = lines.filter((line) => line.startsWith('\u001b[31m') && line.endsWith('\u001b[0m'));
    expect(red).toHaveLength(1);
    expect(stdout.split('\u001b')).toHaveLength(3);
  });
});
