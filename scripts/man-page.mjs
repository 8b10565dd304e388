// Writes docs/man/seaweed-rdma.1 anew, of the compiled command line: node scripts/man-page.mjs
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { continueUnderPinnedNode, root } from './setup/pinned-node.mjs';

continueUnderPinnedNode();

const { createProgram } = await import('../dist/cli/program.js');
const { commandTree } = await import('../dist/cli/command-tree.js');
const { manPage } = await import('../dist/cli/man-page.js');

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
mkdirSync(join(root, 'docs', 'man'), { recursive: true });
const page = manPage(commandTree(createProgram(() => undefined)), version);
writeFileSync(join(root, 'docs', 'man', 'seaweed-rdma.1'), page);
