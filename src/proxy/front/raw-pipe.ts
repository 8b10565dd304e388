/**
 * Joins a client connection with the volume server, both ways and for good, without looking at a byte: the way of
 * everything that this program could misread. Buffers are the two sockets' own.
 */
import { connect, type Socket } from 'node:net';
import type { AnswerPace } from '../../connections/answer-pace.ts';
import { addressOf } from '../../http1/upstream-address.ts';
import { newRequestId } from '../../needle/answer/prepared-answer.ts';
import { endWhenSent, reset } from './reset.ts';

export interface RawPipeEnd {
  /** Bytes that came from the volume server. */
  readonly answerBytes: number;
  /** The volume server could not be reached, or broke off. */
  readonly failed: boolean;
  /** The proxy's own answer; '' where the volume server answered. */
  readonly ownAnswer: string;
}

export interface RawPipeOptions {
  readonly upstreamUrl: string;
  /** Bytes that were read from the client and not handed on. */
  readonly prefix: readonly Buffer[];
  readonly connectTimeoutMs: number;
  /** How long a client may keep sending after the volume server has closed. */
  readonly lingerMs: number;
  readonly pace: AnswerPace;
}

/** Pieces that a turn reads ahead of what it writes, of 64 KiB at most. */
const waitingCountMax = 16;

function unreachable(): string {
  return (
    'HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 28\r\n' +
    `X-Amz-Request-Id: ${newRequestId()}\r\nConnection: close\r\n\r\nvolume server not reachable\n`
  );
}

/** Resolves when both sides are closed. */
export function pipeRaw(client: Socket, options: RawPipeOptions): Promise<RawPipeEnd> {
  const upstream = connect({
    ...addressOf(options.upstreamUrl),
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
  });
  let connected = false;
  let failed = false;
  let ownAnswer = '';
  upstream.setTimeout(options.connectTimeoutMs, () => upstream.destroy(new Error('timed out')));
  upstream.once('connect', () => {
    connected = true;
    upstream.setTimeout(0);
  });
  for (const bytes of options.prefix) upstream.write(bytes);
  upstream.pipe(client, { end: false });
  // Where the client takes no more, it is the pipe that goes on.
  const readOn = (): void => {
    if (!client.writableNeedDrain) upstream.resume();
  };
  upstream.on('data', (bytes: Buffer) => {
    if (!options.pace.allows(bytes.length, 0, readOn)) upstream.pause();
  });

  return new Promise((resolve) => {
    let linger: NodeJS.Timeout | undefined;
    let isEnding = false;
    // Once a turn, and not at once: what the volume server has said before it closed must be read first, as writing to
    // a closed connection destroys it, answer and all.
    let waiting: Buffer[] = [];
    const passOn = (): void => {
      const came = waiting;
      waiting = [];
      if (isEnding || upstream.destroyed) return;
      upstream.cork();
      for (const bytes of came) upstream.write(bytes);
      upstream.uncork();
      if (upstream.writableNeedDrain) client.pause();
      else client.resume();
      if (client.readableEnded) upstream.end();
    };
    client.on('data', (bytes: Buffer) => {
      if (waiting.push(bytes) === 1) setImmediate(passOn);
      if (waiting.length === waitingCountMax) client.pause();
    });
    upstream.on('drain', () => client.resume());
    if (client.readableEnded) upstream.end();
    else client.on('end', () => setImmediate(passOn));
    client.resume();
    // Bytes that the client still sends are read and dropped: closing over unread bytes would reset the connection and
    // take the answer with it.
    const endClient = (): void => {
      isEnding = true;
      endWhenSent(client);
      client.resume();
      if (client.writableFinished) startLinger();
      else client.once('finish', startLinger);
    };
    const startLinger = (): void => {
      linger ??= setTimeout(() => client.destroy(), options.lingerMs);
    };
    client.on('error', () => undefined);
    client.on('close', () => {
      clearTimeout(linger);
      upstream.destroy();
      resolve({ answerBytes: upstream.bytesRead, failed, ownAnswer });
    });
    upstream.on('error', () => {
      failed = true;
    });
    upstream.on('end', endClient);
    upstream.on('close', () => {
      // The end of the answer may be that of the connection, and it did not come.
      if (connected && failed && !isEnding) {
        client.write('', () => reset(client));
        return;
      }
      if (!connected && !client.destroyed) {
        ownAnswer = unreachable();
        client.write(ownAnswer, 'latin1');
      }
      endClient();
    });
  });
}
