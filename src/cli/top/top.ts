/** `seaweed-rdma top`: looks at roles again and again, and draws what happened in between. */
import { emitKeypressEvents } from 'node:readline';
import { type AdminAddress, AdminClient } from '../admin/admin-client.ts';
import { exitCodes } from '../exit-codes.ts';
import { note, printJson, printStyled, visibleStyled } from '../output.ts';
import { frameOf, ratesOf } from './frame.ts';
import { type Looked, lookAt } from './sample.ts';

export interface TopOptions {
  readonly places: readonly AdminAddress[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** One look, and the end. */
  readonly once: boolean;
  /** One object a line for each look and role. */
  readonly json: boolean;
  /** Colours, where the screen has them. */
  readonly isColoured: boolean;
}

/** Returns the exit code: unavailable when nothing answered the last look. */
export async function runTop(options: TopOptions): Promise<number> {
  const isScreen = process.stdout.isTTY === true && !options.json && !options.once;
  return isScreen ? new Screen(options).run() : plain(options);
}

async function plain(options: TopOptions): Promise<number> {
  const clients = clientsOf(options);
  let before = await lookAll(clients);
  const isColoured = options.isColoured && process.stdout.isTTY === true;
  for (;;) {
    await pause(options.intervalMs);
    const after = await lookAll(clients);
    for (const [index, look] of after.entries()) {
      if (options.json) printJson(jsonOf(before[index], look));
      else {
        const columns = process.stdout.columns ?? Number.POSITIVE_INFINITY;
        for (const line of frameOf(before[index], look, { columns, isColoured })) printStyled(line);
      }
    }
    before = after;
    if (options.once) return codeOf(after);
    // A reader that has gone ends this by a broken pipe: src/cli/output.ts.
  }
}

function jsonOf(before: Looked | undefined, after: Looked): object {
  const at = new Date().toISOString();
  if (after.kind === 'unseen') return { at, admin: after.admin, ok: false, error: after.detail };
  const rates = ratesOf(before, after) ?? null;
  const { stats, traffic = null } = after.look;
  return { at, admin: after.admin, ok: true, rates, stats, traffic };
}

function codeOf(looks: readonly Looked[]): number {
  return looks.some(({ kind }) => kind === 'seen') ? exitCodes.done : exitCodes.unavailable;
}

function clientsOf({ places, timeoutMs }: TopOptions): AdminClient[] {
  return places.map((place) => new AdminClient(place, timeoutMs));
}

function lookAll(clients: readonly AdminClient[]): Promise<Looked[]> {
  return Promise.all(clients.map((client) => lookAt(client, () => performance.now())));
}

const enterScreen = '\u001b[?1049h\u001b[?25l';
const leaveScreen = '\u001b[?25h\u001b[?1049l';
const home = '\u001b[H';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';
const helpLine = 'q quit   space pause';

/** The alternate screen of a terminal; left again on every way out. */
class Screen {
  readonly #options: TopOptions;
  readonly #clients: AdminClient[];
  #before: readonly Looked[] = [];
  #after: readonly Looked[] = [];
  #isPaused = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(options: TopOptions) {
    this.#options = options;
    this.#clients = clientsOf(options);
  }

  async run(): Promise<number> {
    const leave = (): void => {
      process.stdout.write(leaveScreen);
    };
    const end = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    const draw = (): void => this.#draw();
    process.stdout.write(enterScreen);
    process.once('exit', leave);
    process.on('SIGINT', end).on('SIGTERM', end).on('SIGHUP', end);
    process.stdout.on('resize', draw);
    this.#listen(end);
    try {
      while (!this.#isOver) {
        await this.#look();
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, this.#options.intervalMs);
          this.#wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    } finally {
      process.off('SIGINT', end).off('SIGTERM', end).off('SIGHUP', end);
      process.stdout.off('resize', draw);
      if (process.stdin.isTTY) process.stdin.setRawMode(false);
      process.stdin.pause();
      process.off('exit', leave);
      leave();
    }
    const code = codeOf(this.#after);
    if (code !== exitCodes.done) note('nothing answered');
    return code;
  }

  async #look(): Promise<void> {
    if (this.#isPaused) return;
    const looks = await lookAll(this.#clients);
    if (this.#after.length > 0) this.#before = this.#after;
    this.#after = looks;
    this.#draw();
  }

  #draw(): void {
    const { columns = 80, rows = 24 } = process.stdout;
    const { isColoured } = this.#options;
    const lines = this.#after.flatMap((look, index) => [
      ...frameOf(this.#before[index], look, { columns, isColoured }),
      '',
    ]);
    const shown = lines.slice(0, Math.max(1, rows - 1));
    const state = this.#isPaused ? '   PAUSED' : '';
    const text = [...shown, `${helpLine}${state}`]
      .map((line) => visibleStyled(line) + clearLine)
      .join('\r\n');
    process.stdout.write(`${home}${text}${clearBelow}`);
  }

  #listen(end: () => void): void {
    if (!process.stdin.isTTY) return;
    emitKeypressEvents(process.stdin);
    process.stdin.setRawMode(true);
    process.stdin.resume();
    process.stdin.on(
      'keypress',
      (text: string | undefined, key: { name?: string; ctrl?: boolean }) => {
        if (key.name === 'q' || (key.ctrl === true && key.name === 'c')) end();
        else if (text === ' ') {
          this.#isPaused = !this.#isPaused;
          this.#draw();
        }
      },
    );
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
