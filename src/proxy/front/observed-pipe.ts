/** Pipes a client's connection raw, and accounts for it as for one forwarded request. */
import type { Socket } from 'node:net';
import type { RequestHead } from '../../http1/request-head.ts';
import type { ClientEnd, RequestRecord } from '../../needle/request-record.ts';
import type { ConnectionHost } from './connection-host.ts';
import { lingerMs } from './limits.ts';
import { pipeRaw } from './raw-pipe.ts';

export interface ObservedPipe {
  readonly upstreamUrl: string;
  /** Bytes that were read from the client and not handed on. */
  readonly prefix: readonly Buffer[];
  /** The request that made the connection raw; its method is '' where none was understood. */
  readonly request: RequestHead;
  readonly client: ClientEnd;
}

type PipeHost = Pick<ConnectionHost, 'connectTimeoutMs' | 'counters' | 'observers' | 'pace'>;

export function pipeObserved(socket: Socket, host: PipeHost, pipe: ObservedPipe): void {
  const { upstreamUrl, prefix, request, client } = pipe;
  const { connectTimeoutMs, counters, observers, pace } = host;
  const startedAtMs = performance.now();
  counters.rawPipes += 1;
  counters.rawPipesOpen += 1;
  void pipeRaw(socket, { upstreamUrl, prefix, connectTimeoutMs, lingerMs, pace }).then((end) => {
    counters.rawPipesOpen -= 1;
    const record: RequestRecord = {
      outcome: end.failed ? 'error' : 'passthrough',
      reason: 'raw',
      transport: 'none',
      sessionId: 0n,
      durationMs: performance.now() - startedAtMs,
      bodyBytes: end.answerBytes,
      request,
      answerHead: end.ownAnswer,
      client,
      decidedMs: 0,
    };
    for (const observe of observers) observe(record);
  });
}
