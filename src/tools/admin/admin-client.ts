/** Asks the admin listener of a running role: status pages, metrics, the admin API. */
import { request } from 'node:http';
import { stripVTControlCharacters } from 'node:util';
import { exitCodes } from '../exit-codes.ts';
import { ToolFailure } from '../tool-failure.ts';

export interface AdminPlace {
  /** As a person writes it: host:port, or unix:/path. */
  readonly address: string;
  readonly token: string | undefined;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class AdminClient {
  readonly address: string;
  readonly #token: string | undefined;
  readonly #timeoutMs: number;

  constructor({ address, token }: AdminPlace, timeoutMs: number) {
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

  #ask(path: string, body: object | undefined): Promise<Answer> {
    const place = this.address.startsWith('unix:')
      ? { socketPath: this.address.slice('unix:'.length) }
      : hostAndPort(this.address);
    const headers = {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` }),
    };
    const method = body === undefined ? 'GET' : 'POST';
    return new Promise((resolve, reject) => {
      const asked = request(
        { ...place, path, method, headers, timeout: this.#timeoutMs, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8');
          answer.on('data', (more: string) => {
            text += more;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
          answer.on('error', reject);
        },
      );
      asked.on('timeout', () => asked.destroy(new Error(`no answer in ${this.#timeoutMs} ms`)));
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
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

function errorOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === 'string') return printable(error);
  } catch {
    // Not ours: shown as it is.
  }
  return printable(text).trim().slice(0, 200);
}

/** Whoever answers may be anybody: nothing of it reaches the terminal as a command. */
function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}+/gu, ' ');
}

function hostAndPort(address: string): { readonly host: string; readonly port: string } {
  const { hostname, port } = new URL(`http://${address}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? '80' : port };
}
