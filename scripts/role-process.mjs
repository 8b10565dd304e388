// Starts a role of the product as a process of its own, as an operator would, and waits for its line with
// "event":"ready"; a proxy listens before it knows its volume server and targets, so that of a proxy the line with
// "event":"settled" is waited for as well. Used by the demo and by tests.
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from './setup/pinned-node.mjs';

const readyTimeoutMs = 30_000;
const stopTimeoutMs = 15_000;

export async function startRole(role, { config, args = [], env = {}, under = [] }) {
  const roleArgs = [...under, join(root, 'bin', 'seaweed-rdma'), role, ...args];
  if (config !== undefined) {
    const file = join(mkdtempSync(join(tmpdir(), 'seaweed-rdma-')), `${role}.toml`);
    writeFileSync(file, config);
    roleArgs.push('--config', file);
  }
  const child = spawn(roleArgs[0], roleArgs.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const log = [];
  const killWithParent = () => child.kill('SIGKILL');
  process.once('exit', killWithParent);
  const ended = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      process.off('exit', killWithParent);
      resolve(code ?? signal);
    });
  });
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const bound = await new Promise((resolve, reject) => {
    const fail = (what) => {
      child.kill('SIGKILL');
      reject(new Error(`${role} ${what}:\n${log.join('\n')}`));
    };
    const timer = setTimeout(() => fail('was not ready in time'), readyTimeoutMs);
    child.once('error', (error) => fail(error.message));
    let ready;
    void ended.then((code) => fail(`ended with ${code} before it was ready`));
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.push(line);
      if (line.includes('"event":"ready"')) ready = JSON.parse(line);
      if (!line.includes(role === 'proxy' ? '"event":"settled"' : '"event":"ready"')) return;
      clearTimeout(timer);
      resolve(ready);
    });
  });
  return { bound, log, pid: child.pid, ended, stop: () => stop(child, ended) };
}

/** SIGTERM; the exit code, or the signal that ended it where it did not stop by itself. */
async function stop(child, ended) {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  const code = await ended;
  clearTimeout(timer);
  return code;
}
