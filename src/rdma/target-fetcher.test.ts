import { describe, expect, test } from 'vitest';
import type { NativeClient, NativeTargetEvent } from './native-types.ts';
import type { ReadRecord } from './needle-fetcher.ts';
import { RequestBook } from './request-book.ts';
import { entryBytes, entryF64, entryKind, entryU32 } from './shared-layout.ts';
import { type StatusName, statusNumbers } from './status.ts';
import { type ConnectorLink, TargetFetcher } from './target-fetcher.ts';

const requestsMax = 2;
const command = {
  volumeId: 3,
  needleId: 1n,
  cookie: 7,
  offset: 0,
  length: 0,
  wholeBytesMax: 1_000,
  budgetBytes: 1_000,
  metadataOnly: false,
  timeoutMs: 100,
};

interface Payload {
  readonly dataBytes?: number;
  readonly roundTripUs?: number;
}

/** A fetcher over memory that the test fills in the native part's place. */
class Rig {
  readonly records: ReadRecord[] = [];
  readonly fetcher: TargetFetcher;
  readonly book: RequestBook;
  readonly #ring = new ArrayBuffer(entryBytes * requestsMax);
  readonly #posted: number[] = [];
  link: ConnectorLink | undefined;

  constructor() {
    const post = (_target: number, ticket: number): void => void this.#posted.push(ticket);
    const memory = { ring: this.#ring, arena: new ArrayBuffer(64), command: new ArrayBuffer(256) };
    const calls = { postRead: post, postPing: post, release: () => undefined };
    this.book = new RequestBook(
      requestsMax,
      () => ({ ...memory, ...calls }) as never as NativeClient,
    );
    const connector = {
      start: (link: ConnectorLink) => {
        this.link = link;
      },
      up: () => undefined,
      lost: () => undefined,
      explained: (detail: string) => `${detail}; a NAT`,
      stop: () => undefined,
    };
    const onRead = (record: ReadRecord): void => void this.records.push(record);
    this.fetcher = new TargetFetcher(this.book, 'target:1', connector, onRead);
  }

  /** Completes the request that was posted first of those in flight. */
  complete(kind: keyof typeof entryKind, status: StatusName, payload: Payload = {}): void {
    const words = new Uint32Array(this.#ring);
    words[entryU32.kind] = entryKind[kind];
    words[entryU32.ticket] = this.#posted.shift() as number;
    words[entryU32.status] = statusNumbers[status];
    const { dataBytes = 0, roundTripUs = 0 } = payload;
    const numbers = new Float64Array(this.#ring);
    // A pong's round trip lies where a needle's payload begins.
    numbers[entryF64.payloadOffset] = roundTripUs;
    numbers[entryF64.dataBytes] = dataBytes;
    words[entryU32.lease] = dataBytes > 0 ? 1 : 0;
    this.book.onBatch(1, undefined, undefined);
  }

  announce(event: object): void {
    this.book.onBatch(0, undefined, [{ target: 1, ...event } as NativeTargetEvent]);
  }

  goUp(): void {
    this.link?.open(1);
    this.announce({ kind: 'up', transport: 'tcp', sessionId: 1n });
  }
}

describe('a target fetcher counts', () => {
  test('reads by the status that they ended with, and their bytes', async () => {
    const rig = new Rig();
    const early = rig.fetcher.read(command);
    rig.goUp();
    const reads = [rig.fetcher.read(command), rig.fetcher.read(command)];
    // One more than the book has tickets for.
    const refused = rig.fetcher.read(command);
    rig.complete('read', 'ok', { dataBytes: 10 });
    rig.complete('read', 'not_found');
    await Promise.all([early, ...reads, refused]);
    expect(rig.fetcher.counts).toMatchObject({
      fetches: { not_connected: 1, ok: 1, not_found: 1, overload: 1 },
      bytesFetched: 10,
    });
    expect(rig.records.map(({ status }) => status)).toEqual([
      'not_connected',
      'overload',
      'ok',
      'not_found',
    ]);
    expect(rig.records.map(({ bytesReceived }) => bytesReceived)).toEqual([0, 0, 10, 0]);
    expect(rig.records.every(({ durationMs }) => durationMs >= 0)).toBe(true);
  });

  test('sessions that were lost apart from attempts that failed, and each attempt', async () => {
    const rig = new Rig();
    const down = { kind: 'down', status: statusNumbers.peer_lost, detail: '' };
    rig.goUp();
    // A new list of volumes is no new session.
    rig.announce({ kind: 'volumes', volumes: [] });
    expect(rig.fetcher.counts).toMatchObject({ established: 1, lost: 0, failed: 0 });
    rig.announce(down);
    rig.link?.open(1);
    rig.announce(down);
    // A name that cannot be looked up never gets as far as connecting.
    rig.link?.failed('not_connected', 'no such host');
    rig.goUp();
    await rig.fetcher.close();
    expect(rig.fetcher.counts).toMatchObject({ established: 2, lost: 1, failed: 2 });
  });

  test('the last round trip, whatever fails later', async () => {
    const rig = new Rig();
    rig.goUp();
    const pings = [rig.fetcher.ping(100), rig.fetcher.ping(100)];
    expect(rig.fetcher.counts.pingUs).toBeUndefined();
    rig.complete('pong', 'ok', { roundTripUs: 7 });
    rig.complete('pong', 'deadline');
    await Promise.all(pings);
    expect(rig.fetcher.counts.pingUs).toBe(7);
    expect(rig.records).toEqual([]);
  });
});
