/**
 * Tells systemd how the role is (sd_notify(3)), where its unit says Type=notify. Node has no datagram sockets of the
 * unix family, so systemd's own systemd-notify carries the words: the unit needs NotifyAccess=all.
 */
import { spawn } from 'node:child_process';
import type { Logger } from './log.ts';

export class ServiceManager {
  readonly #logger: Logger;
  readonly #isListening: boolean;
  readonly #watchdogMs: number;
  #watchdog: NodeJS.Timeout | undefined;
  /** Messages leave one after the other. */
  #sending: Promise<void> = Promise.resolve();
  #isBroken = false;

  constructor(logger: Logger, environment: NodeJS.ProcessEnv) {
    this.#logger = logger;
    this.#isListening = (environment['NOTIFY_SOCKET'] ?? '') !== '';
    this.#watchdogMs = Number(environment['WATCHDOG_USEC'] ?? 0) / 1000;
  }

  ready(status: string): Promise<void> {
    if (this.#watchdogMs > 0 && this.#isListening) {
      // Twice in the time, as sd_watchdog_enabled(3) advises. A loop that hangs does not get here.
      this.#watchdog ??= setInterval(
        () => void this.#send('WATCHDOG=1'),
        this.#watchdogMs / 2,
      ).unref();
    }
    return this.#send('READY=1', `STATUS=${status}`);
  }

  /** Followed by `ready`. */
  reloading(): Promise<void> {
    const monotonicUs = process.hrtime.bigint() / 1000n;
    return this.#send('RELOADING=1', `MONOTONIC_USEC=${monotonicUs}`);
  }

  stopping(status: string): Promise<void> {
    clearInterval(this.#watchdog);
    return this.#send('STOPPING=1', `STATUS=${status}`);
  }

  #send(...words: readonly string[]): Promise<void> {
    if (!this.#isListening) return this.#sending;
    this.#sending = this.#sending.then(() => this.#run(words));
    return this.#sending;
  }

  #run(words: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const child = spawn('systemd-notify', words, { stdio: 'ignore', timeout: sendMsMax });
      child.on('error', (error) => {
        this.#complain(error.message);
        resolve();
      });
      child.on('close', (code) => {
        if (code !== 0) this.#complain(`systemd-notify ended with ${code ?? 'a signal'}`);
        resolve();
      });
    });
  }

  #complain(detail: string): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    const fields = { event: 'notify-failed', detail };
    this.#logger.warn(fields, 'systemd waits to be told, and cannot be: use Type=exec');
  }
}

const sendMsMax = 5_000;
