/** CPU and wake-ups as the kernel counts them, of this process and of one that it starts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { cpuOf, cpuUsBetween } from '../src/cli/bench/process-cpu.ts';
import { familyOf, sleepsOf } from './process-cpu.ts';

test('work is counted as the process itself counts it', () => {
  const [before, own] = [cpuOf([process.pid]), process.cpuUsage()];
  for (const until = performance.now() + 200; performance.now() < until; );
  const after = cpuOf([process.pid]);
  const { user, system } = process.cpuUsage(own);
  const ratio = cpuUsBetween(before, after) / (user + system);
  expect(user + system).toBeGreaterThan(20_000);
  expect(ratio).toBeGreaterThan(0.8);
  expect(ratio).toBeLessThan(1.2);
});

test('threads that ended are counted by their ticks', () => {
  const before = { nanosecondsByThread: new Map([['a', 5e9]]), ticks: 500 };
  const after = { nanosecondsByThread: new Map([['b', 1e6]]), ticks: 600 };
  expect(cpuUsBetween(before, after)).toBe(990_000);
});

test('a process that ended, and one that never was, took nothing', () => {
  const nobody = 2 ** 30;
  expect(cpuUsBetween(cpuOf([nobody]), cpuOf([nobody]))).toBe(0);
  expect(sleepsOf([nobody])).toBe(0);
  expect(familyOf(nobody)).toEqual([nobody]);
});

test('a family is the process, its children and theirs', async () => {
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [line] = (await once(shell.stdout, 'data')) as [Buffer];
  const sleeper = Number(line.toString());
  const family = familyOf(process.pid);
  process.kill(sleeper);
  await once(shell, 'exit');
  expect(family).toContain(shell.pid);
  expect(family).toContain(sleeper);
});

test('each time that a thread goes to sleep is one more', async () => {
  const before = sleepsOf([process.pid]);
  for (let i = 0; i < 20; i += 1) await pause(2);
  expect(sleepsOf([process.pid]) - before).toBeGreaterThanOrEqual(15);
});
