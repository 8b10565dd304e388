/** Asks the admin listener of a running role: status pages, metrics, the admin API. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { answerTo } from '../../http1/answer-to.ts';
import { exitCodes } from '../exit-codes.ts';
import { visible } from '../output.ts';
import { ToolFailure } from '../tool-failure.ts';

export interface AdminAddress {
  /** Address as a person writes it: host:port, or unix:/path. */
  readonly address: string;
  readonly token: string | undefined;
}

/** An answer that goes on says that it is there every ten seconds. */
const silentMsMax = 35_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class AdminClient {
  readonly address: string;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;

  constructor({ address, token }: AdminAddress, timeoutMs: number) {
    this.address = address;
    this.#token = token;
    this.#timeoutMs = timeoutMs;
  }

  /** Throws ToolFailure, with what to do, where there is no answer that can be used. */
  async json<T>(path: string, body?: object): Promise<T> {
    const text = await this.text(path, body);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new ToolFailure(
        `${this.address}${path} does not answer JSON: is it an admin listener?`,
      );
    }
  }

  async text(path: string, body?: object): Promise<string> {
    const { status, text } = await this.#ask(path, body).catch((error: NodeJS.ErrnoException) => {
      throw this.#unreachable(error);
    });
    // /health of a role that is down is an answer too.
    if (status === 200 || (status === 503 && path === '/health')) return text;
    throw this.#refused(path, status, text);
  }

  /**
   * An answer that goes on: calls `onLine` for each line until it ends or `signal` says so. Nothing is read while the
   * standard output is full, so that the other end notices.
   */
  async lines(path: string, signal: AbortSignal, onLine: (line: string) => void): Promise<void> {
    try {
      const answer = await this.#open(path, signal);
      const { statusCode: status = 0 } = answer;
      if (status !== 200) throw this.#refused(path, status, await textOf(answer));
      const lines = createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY });
      for await (const line of lines) {
        onLine(line);
        if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error instanceof ToolFailure ? error : this.#unreachable(error as Error);
    }
  }

  async #open(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const timeout = Math.max(this.#timeoutMs, silentMsMax);
    const options = { ...this.#place(), path, headers: this.#credentials(), signal, timeout };
    const asked = request({ ...options, agent: false });
    asked.on('timeout', () => asked.destroy(new Error(`nothing came in ${timeout} ms`)));
    asked.end();
    return answerTo(asked);
  }

  #place(): { readonly socketPath: string } | { readonly host: string; readonly port: string } {
    return this.address.startsWith('unix:')
      ? { socketPath: this.address.slice('unix:'.length) }
      : hostAndPort(this.address);
  }

  #credentials(): Readonly<Record<string, string>> {
    return this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` };
  }

  async #ask(path: string, body: object | undefined): Promise<Answer> {
    const place = this.#place();
    const headers = {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...this.#credentials(),
    };
    const method = body === undefined ? 'GET' : 'POST';
    const timeout = this.#timeoutMs;
    const asked = request({ ...place, path, method, headers, timeout, agent: false });
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${timeout} ms`)));
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const answer = await answerTo(asked);
    return { status: answer.statusCode ?? 0, text: await textOf(answer) };
  }

  #unreachable(error: NodeJS.ErrnoException): ToolFailure {
    const cause = error.code === 'ECONNREFUSED' ? 'nothing listens there' : error.message;
    return new ToolFailure(
      `the admin listener ${this.address} cannot be asked: ${cause}; it is admin.listen of the role's configuration (--admin or --config say which)`,
      exitCodes.unavailable,
    );
  }

  #refused(path: string, status: number, text: string): ToolFailure {
    if (status === 401) {
      return new ToolFailure(
        `${this.address} asks for a token: --token-file FILE, the same as admin.token_file`,
      );
    }
    if (status === 404) {
      return new ToolFailure(
        `${this.address} has no ${path}: a target, another version, or no admin listener`,
      );
    }
    return new ToolFailure(`${this.address}${path}: ${status}: ${errorOf(text)}`);
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  for await (const more of answer.setEncoding('utf8')) text += String(more);
  return text;
}

function errorOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return visible(error);
  } catch {
    // Not ours: shown as it is.
  }
  return visible(text).trim().slice(0, 200);
}

function hostAndPort(address: string): { readonly host: string; readonly port: string } {
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? '80' : port };
}
