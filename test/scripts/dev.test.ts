/** `npm run dev`: the role starts from the sources and starts again when one of them changes. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scratchFolder } from '../integration/scratch.ts';

const root = join(import.meta.dirname, '..', '..');
const scratch = scratchFolder();
const checkout = join(scratch.folder, 'checkout');

let child: ChildProcessByStdio<null, Readable, null>;
let lines: AsyncIterator<string>;

/** A copy, because other tests run the sources that a change would touch; without the set-up before it. */
beforeAll(() => {
  mkdirSync(checkout);
  for (const name of ['src', 'dashboard', 'package.json']) {
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
  const file = scratch.write('proxy.toml', proxyToml);
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const command = scripts['dev']?.split(' && ').at(-1);
  child = spawn('sh', ['-c', `exec ${command} proxy --config ${file}`], {
    cwd: checkout,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
});

afterAll(async () => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
});

const proxyToml = `[http]
listen = "127.0.0.1:0"
[rdma]
mode = "off"
[admin]
listen = "127.0.0.1:0"
`;

async function lineWith(event: string): Promise<Readonly<Record<string, unknown>>> {
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    const line = next.value.startsWith('{') ? JSON.parse(next.value) : {};
    if (line.event === event) return line;
  }
  throw new Error(`the role ended without a line "${event}"`);
}

describe('npm run dev', () => {
  test('starts the role again, in good order, when a source changes', async () => {
    const first = await lineWith('ready');
    const now = new Date();
    utimesSync(join(checkout, 'src', 'main.ts'), now, now);
    await lineWith('stopped');
    const second = await lineWith('ready');
    expect(second['pid']).not.toBe(first['pid']);
  });
});
