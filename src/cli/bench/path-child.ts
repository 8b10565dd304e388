/** The parent's side of a path's process. */
import { type ChildProcess, fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PathAnswer, PathCommand, PathLoad, PathRun, PathSpec } from './path.ts';

/** Compiled or not, beside this file. */
const program = fileURLToPath(
  new URL(`./path-process${extname(import.meta.url)}`, import.meta.url),
);

export class PathUnavailable extends Error {}

export class PathChild {
  readonly name: string;
  readonly #child: ChildProcess;
  /** The path's own description: where it reads, and by which transport. */
  detail = '';

  constructor({ name }: PathSpec) {
    this.name = name;
    this.#child = fork(program, { serialization: 'advanced' });
  }

  /** Throws PathUnavailable. */
  async open({ place }: PathSpec, load: PathLoad): Promise<void> {
    this.detail = (await this.#ask({ kind: 'open', place, load }, 'opened')).detail;
  }

  async sample(count: number): Promise<readonly string[]> {
    return (await this.#ask({ kind: 'sample', count }, 'sampled')).digests;
  }

  run(iterations: number, ratePerSecond: number): Promise<PathRun> {
    return this.#ask({ kind: 'run', iterations, ratePerSecond }, 'ran');
  }

  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #ask<K extends PathAnswer['kind']>(
    command: PathCommand,
    kind: K,
  ): Promise<Extract<PathAnswer, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => {
        reject(new PathUnavailable(`its process ended with ${code ?? 'a signal'}`));
      };
      this.#child.once('exit', ended);
      this.#child.once('message', (answer: PathAnswer) => {
        this.#child.off('exit', ended);
        if (answer.kind === kind) resolve(answer as Extract<PathAnswer, { kind: K }>);
        else reject(new PathUnavailable('detail' in answer ? answer.detail : answer.kind));
      });
      this.#child.send(command);
    });
  }
}
