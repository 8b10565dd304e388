/**
 * Every way to end, in a child process. Exit code and signal are compared, not the output alone: a crash at exit comes
 * after the right result was printed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SampleVolume } from '../contract/sample-volume.ts';
import { subjectKinds } from '../contract/subjects.ts';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'seaweed-rdma-lifetime-'));
  const volume = new SampleVolume(dir, 3);
  volume.put(1n, Buffer.alloc(100_000, 7));
  volume.close();
});

afterAll(() => rmSync(dir, { recursive: true }));

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(scenario: string, kindName: string, signal?: NodeJS.Signals): Promise<Ending> {
  const path = join(import.meta.dirname, 'child.ts');
  const child = spawn(process.execPath, ['--expose-gc', path, scenario, kindName, dir]);
  const { promise, resolve } = Promise.withResolvers<Ending>();
  let stdout = '';
  let stderr = '';
  // A hang ends as a signal that no scenario expects.
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (signal !== undefined && stdout.includes('ready')) child.kill(signal);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.on('close', (code, endSignal) => {
    clearTimeout(timer);
    resolve({ code, signal: endSignal, stdout, stderr });
  });
  return promise;
}

const clean = { code: 0, signal: null, stdout: 'done\n', stderr: '' };
const endings: readonly (readonly [scenario: string, ending: Ending])[] = [
  ['closes everything', clean],
  ['exits with a lease held', { ...clean, code: 7 }],
  ['exits with fetches in flight', { ...clean, code: 7 }],
  ['exits from a listener', { ...clean, code: 7 }],
  ['survives what a listener throws', clean],
  ['closes from a listener', clean],
  ['terminates worker threads', clean],
  ['lets worker threads exit', clean],
  ['forgets leases', clean],
];

describe.each(subjectKinds)('a process with a client of kind $name', ({ name }) => {
  it.each(endings)('that %s', { timeout: 40_000 }, async (scenario, ending) => {
    expect(await run(scenario, name)).toEqual(ending);
  });

  it('that throws in a listener ends as Node ends on an uncaught exception', async () => {
    const ending = await run('throws in a listener', name);
    expect(ending).toMatchObject({ code: 1, signal: null, stdout: 'done\n' });
    expect(ending.stderr).toContain('Error: thrown in a listener');
  });

  it('that gets SIGTERM under load ends by it', async () => {
    const ending = await run('is ended by a signal', name, 'SIGTERM');
    expect(ending).toEqual({ code: null, signal: 'SIGTERM', stdout: 'ready\n', stderr: '' });
  });
});
