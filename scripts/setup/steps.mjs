// Runs one long step of a script as a child process: a line when it begins, its last output line while it goes on,
// the tail of its output where it fails. Plain JavaScript: it runs under the system's Node, before anything is installed.
import { spawn } from 'node:child_process';

const tailLines = 40;
const progressEveryMs = 15_000;

/** A step ended with an error that the user has been told about. */
export class StepFailed extends Error {}

/**
 * @param {string} title what the user reads
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export async function runStep(title, command, args, options = {}) {
  const startedAt = Date.now();
  console.log(`${title} …`);
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  /** @param {Buffer} chunk */
  const collect = (chunk) => {
    output += chunk;
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const progress = setInterval(() => {
    const lastLine = output.trimEnd().split('\n').at(-1)?.slice(0, 90) ?? '';
    console.log(`  ${seconds(startedAt)} s: ${lastLine}`);
  }, progressEveryMs);
  const code = await new Promise((resolve) => {
    child.on('error', (error) => {
      output += `${command}: ${error.message}\n`;
      resolve(127);
    });
    child.on('close', (exitCode, signal) => resolve(exitCode ?? `signal ${signal}`));
  });
  clearInterval(progress);
  if (code === 0) console.log(`${title}: done in ${seconds(startedAt)} s`);
  else console.log(`${title}: failed (${code}) after ${seconds(startedAt)} s`);
  return { ok: code === 0, output };
}

/**
 * Works like runStep; a failure shows the tail of the output and throws StepFailed.
 *
 * @param {string} title
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export async function runRequiredStep(title, command, args, options) {
  const result = await runStep(title, command, args, options);
  if (result.ok) return result;
  console.error(tail(result.output));
  throw new StepFailed(`${title} failed: ${[command, ...args].join(' ')}`);
}

/** @param {string} output */
export function tail(output) {
  return output.trimEnd().split('\n').slice(-tailLines).join('\n');
}

/** @param {number} startedAt */
function seconds(startedAt) {
  return ((Date.now() - startedAt) / 1000).toFixed(1);
}
