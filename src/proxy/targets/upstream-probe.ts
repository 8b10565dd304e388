/**
 * Asks a volume server `GET /0,000000000000` without a token, at start and then at every interval: volume 0 does not
 * exist, so the answer is an error of its own that tells its `Server` value, and a 401 tells that reads need a token
 * (the token is checked before anything else, specification section 4).
 */
import { Agent, type RequestOptions, request } from 'node:http';
import { urlToHttpOptions } from 'node:url';
import { foreignServer, foreignText } from '../../volume-server/foreign-server.ts';
import type { LearnedFacts } from './learned-facts.ts';

export interface UpstreamProbeOptions {
  readonly upstreamUrl: string;
  readonly facts: LearnedFacts;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Called when probing starts to fail or to work again. */
  readonly onChange: (state: { ok: boolean; detail: string }) => void;
}

export interface UpstreamProbe {
  /** Resolves when the first probe has ended, whatever came of it. */
  readonly first: Promise<void>;
  readonly ok: boolean;
  close(): void;
}

interface ProbeAnswer {
  readonly status: number;
  readonly server: string | undefined;
  /** "a filer" …; undefined: it may be a volume server. */
  readonly foreign: string | undefined;
}

export function startUpstreamProbe(options: UpstreamProbeOptions): UpstreamProbe {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const target = targetOf(options.upstreamUrl, agent);
  let ok: boolean | undefined;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const report = (nowOk: boolean, detail: string): void => {
    if (ok === nowOk || closed) return;
    ok = nowOk;
    options.onChange({ ok, detail });
  };

  const probeOnce = async (): Promise<void> => {
    const sentAt = performance.now();
    try {
      const answer = await ask(target, options.timeoutMs);
      if (answer.foreign !== undefined) {
        report(false, foreignText(answer.foreign, 'volume_server_url'));
      } else if (answer.server === undefined) {
        report(false, `no Server header in the answer (status ${answer.status})`);
      } else {
        const requiresToken = answer.status === 401;
        options.facts.learnProbe({ server: answer.server, requiresToken, sentAt });
        report(true, answer.server);
      }
    } catch (error) {
      report(false, error instanceof Error ? error.message : String(error));
    }
    if (closed) return;
    const waitMs = Math.max(0, options.intervalMs - (performance.now() - sentAt));
    timer = setTimeout(() => void probeOnce(), waitMs);
    timer.unref();
  };

  const first = probeOnce();
  return {
    first,
    get ok(): boolean {
      return ok === true;
    },
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

function ask(target: RequestOptions, timeoutMs: number): Promise<ProbeAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(target, (answer) => {
      const head: Buffer[] = [];
      // The rest is read and dropped: the connection is to be used again.
      answer.on('data', (chunk: Buffer) => head.length === 0 && head.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        clearTimeout(deadline);
        const server = answer.headers['server'];
        resolve({
          status: answer.statusCode ?? 0,
          server: typeof server === 'string' ? server : undefined,
          foreign: foreignServer(answer.headers, head.join('')),
        });
      });
    });
    const deadline = setTimeout(
      () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    deadline.unref();
    asked.on('error', (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    asked.end();
  });
}
