/** Writes docs/man/seaweed-rdma.1 anew from the command line's own texts: npm run man. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandTree } from '../src/cli/command-tree.ts';
import { manPage } from '../src/cli/man-page.ts';
import { createProgram } from '../src/cli/program.ts';

const root = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly version: string;
};
mkdirSync(join(root, 'docs', 'man'), { recursive: true });
const page = manPage(commandTree(createProgram(() => undefined)), version);
writeFileSync(join(root, 'docs', 'man', 'seaweed-rdma.1'), page);
