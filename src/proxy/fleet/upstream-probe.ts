/**
 * Asks a volume server `GET /0,000000000000` without a token, at start and then at every interval: volume 0 does not
 * exist, so the answer is an error of its own that tells its `Server` value, and a 401 tells that reads need a token
 * (the token is checked before anything else, specification section 4).
 */
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { urlToHttpOptions } from 'node:url';
import { answerPieces } from '../../http1/answer-pieces.ts';
import { answerTo } from '../../http1/answer-to.ts';
import { foreignServer, foreignText } from '../../volume-server/foreign-server.ts';
import { isRustServer, type ServerKind } from '../../volume-server/rust-server.ts';
import type { LearnedFacts } from './learned-facts.ts';

export interface UpstreamChange {
  readonly ok: boolean;
  /** strange: something answers that is no volume server. */
  readonly kind: 'up' | 'strange' | 'down';
  readonly detail: string;
}

export interface UpstreamProbeOptions {
  readonly upstreamUrl: string;
  readonly facts: LearnedFacts;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Called when probing starts to fail, to fail otherwise, or to work again. */
  readonly onChange: (state: UpstreamChange) => void;
}

export interface UpstreamProbe {
  /** Resolves when the first probe has ended, whatever came of it. */
  readonly first: Promise<void>;
  close(): void;
}

interface ProbeAnswer {
  readonly status: number;
  readonly server: string | undefined;
  /** "a filer" …; undefined: it may be a volume server. */
  readonly foreign: string | undefined;
  readonly kind: ServerKind;
}

export function startUpstreamProbe(options: UpstreamProbeOptions): UpstreamProbe {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const target = targetOf(options.upstreamUrl, agent);
  let told = '';
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const report = (kind: UpstreamChange['kind'], detail: string): void => {
    if (closed) return;
    if (kind !== 'up') options.facts.missProbe(kind, detail);
    if (told === kind) return;
    told = kind;
    options.onChange({ ok: kind === 'up', kind, detail });
  };

  const probeOnce = async (): Promise<void> => {
    const sentAt = performance.now();
    try {
      const answer = await ask(target, options.timeoutMs);
      if (answer.foreign !== undefined) {
        report('strange', foreignText(answer.foreign, 'volume_server_url'));
      } else if (answer.server === undefined) {
        report(
          'strange',
          `this is no volume server: no Server header in the answer (status ${answer.status})`,
        );
      } else {
        const { server, kind } = answer;
        const requiresToken = answer.status === 401;
        options.facts.learnProbe({ server, kind, requiresToken, sentAt });
        report('up', kind === 'rust' ? `${server}, in Rust` : server);
      }
    } catch (error) {
      report('down', error instanceof Error ? error.message : String(error));
    }
    if (closed) return;
    const waitMs = Math.max(0, options.intervalMs - (performance.now() - sentAt));
    timer = setTimeout(() => void probeOnce(), waitMs);
    timer.unref();
  };

  const first = probeOnce();
  return {
    first,
    close(): void {
      closed = true;
      clearTimeout(timer);
      agent.destroy();
    },
  };
}

/** Made once: a probe is nearly all that an idle proxy does. */
function targetOf(upstreamUrl: string, agent: Agent): RequestOptions {
  return {
    ...urlToHttpOptions(new URL('/0,000000000000', upstreamUrl)),
    headers: { 'user-agent': 'seaweed-rdma' },
    agent,
  };
}

async function ask(target: RequestOptions, timeoutMs: number): Promise<ProbeAnswer> {
  const asked = request(target);
  const late = new Error(`no answer within ${timeoutMs} ms`);
  const deadline = setTimeout(() => asked.destroy(late), timeoutMs);
  deadline.unref();
  asked.end();
  try {
    const answer = await answerTo(asked);
    const firstBytes = await drained(answer);
    const server = answer.headers['server'];
    return {
      status: answer.statusCode ?? 0,
      server: typeof server === 'string' ? server : undefined,
      foreign: foreignServer(answer.headers, firstBytes),
      kind: isRustServer(answer.rawHeaders) ? 'rust' : 'go',
    };
  } finally {
    clearTimeout(deadline);
  }
}

/** Returns the first bytes. The rest is read and dropped: the connection is to be used again. */
async function drained(answer: IncomingMessage): Promise<string> {
  let first: Buffer | undefined;
  await answerPieces(answer, (piece) => {
    first ??= piece;
  });
  return first?.toString() ?? '';
}
