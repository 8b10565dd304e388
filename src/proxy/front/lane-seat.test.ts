/** A request that is recalled by its bytes is the one that was published: the client's own id changes nothing but itself. */
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FramedRequest, RequestFramer } from '../../http1/request-framer.ts';
import { parseRead } from '../../needle/request/read-request.ts';
import type { Lanes } from '../lanes/lanes.ts';
import { LaneSeat, recallable } from './lane-seat.ts';

const idName = 'X-Amz-Request-Id';
const runs = { numRuns: 2_000 };

/** The alphabet and length of the hole: shelf.cc has the same. */
const id = fc.stringMatching(/^[0-9A-Za-z-]{0,64}$/);
const value = fc.stringMatching(/^[\t -~]{0,30}$/);
const plainHeader = fc.constantFrom(
  'Accept: */*',
  'Accept-Encoding: gzip',
  'User-Agent: Go-http-client/1.1',
  'Range: bytes=0-99',
  'If-None-Match: "a"',
  'Connection: keep-alive',
  'Connection: close',
  'Connection: X-Amz-Request-Id',
  'Content-Length: 0',
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'X-Amz-Request-Id: another',
  'x-amz-request-id: in-small-letters',
  'Host: b',
);
const oddHeader = fc
  .tuple(fc.constantFrom('Cookie', 'Traceparent', 'X-Odd', 'Authorization', 'Origin'), value)
  .map(([name, text]) => `${name}: ${text}`);
const headers = fc.array(fc.oneof(plainHeader, oddHeader), { maxLength: 5 });
const line = fc
  .tuple(
    fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
    fc.constantFrom('/3,0700000009', '/3/0700000009/a.jpg', '/3,07x', '/3,0700000009?dl=true', '/'),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
  )
  .map((words) => words.join(' '));

function headOf(first: string, before: readonly string[], own: string, behind: readonly string[]) {
  const lines = [first, 'Host: a', ...before, `${idName}: ${own}`, ...behind, '', ''];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

function frame(bytes: Buffer): FramedRequest | undefined {
  const verdict = new RequestFramer(65_536).frame(bytes, 0);
  return verdict.kind === 'request' ? verdict : undefined;
}

function recalled(bytes: Buffer, debugHeaders = false): ReturnType<typeof recallable> {
  const request = frame(bytes);
  if (request === undefined) return undefined;
  return recallable({ request, headBytes: bytes, debugHeaders, hasBody: false });
}

/** All that is decided about a request, its own id left out. */
function decided(bytes: Buffer, linesBefore: number): unknown {
  const request = frame(bytes);
  if (request === undefined) return 'raw';
  const { head, body, close, headBytes, block } = request;
  const { http10, expectsContinue, isRelayable } = block;
  const { rawHeaders, readHeaders, ...rest } = head;
  const others = rawHeaders.toSpliced(2 * linesBefore + 1, 1);
  const meaning = { body, close, http10, expectsContinue, isRelayable, readHeaders, rest };
  return { ...meaning, others, headLeft: bytes.length - headBytes, read: parseRead(head) };
}

describe('the hole of a head', () => {
  test('holds any id, and nothing that is decided about the request depends on which', () => {
    fc.assert(
      fc.property(line, headers, id, id, headers, (start, before, one, other, behind) => {
        const heads = [one, other].map((own) => headOf(start, before, own, behind));
        const [first, second] = heads.map((bytes) => decided(bytes, 1 + before.length));
        expect(first).toEqual(second);
      }),
      runs,
    );
  });

  test('is where the id stands, and all bytes around it are the same for every id', () => {
    fc.assert(
      fc.property(headers, id, id, (behind, one, other) => {
        const around = [one, other].map((own) => {
          const head = recalled(headOf('GET /3,0700000009 HTTP/1.1', [], own, behind));
          if (head === undefined) return undefined;
          const { bytes, holeAt, holeEnd, userAgent } = head;
          expect(bytes.toString('latin1', holeAt, holeEnd)).toBe(own);
          return [
            bytes.toString('latin1', 0, holeAt),
            bytes.toString('latin1', holeEnd),
            userAgent,
          ];
        });
        expect(around[0]).toEqual(around[1]);
      }),
      runs,
    );
  });

  test('is none for an id that is longer, or has other characters', () => {
    const odd = fc.oneof(
      fc.stringMatching(/^[0-9A-Za-z-]{65,80}$/),
      fc.stringMatching(/^[0-9A-Za-z-]{0,20}[ !-,./:-@[-`{-~\t][0-9A-Za-z-]{0,20}$/),
    );
    fc.assert(
      fc.property(odd, (own) => {
        const head = recalled(headOf('GET /3,0700000009 HTTP/1.1', [], own, []));
        expect(head).toMatchObject({ holeAt: -1, holeEnd: -1 });
      }),
      runs,
    );
  });

  test('is none where the name is spelled otherwise, and none in a head without one', () => {
    for (const text of [
      'GET /3,07 HTTP/1.1\r\nHost: a\r\nx-amz-request-id: 1\r\n\r\n',
      'GET /3,07 HTTP/1.1\r\nHost: a\r\nX-Amz-Request-Id:1\r\n\r\n',
      'GET /3,07 HTTP/1.1\r\nHost: a\r\n\r\n',
    ]) {
      expect(recalled(Buffer.from(text, 'latin1'))).toMatchObject({ holeAt: -1, holeEnd: -1 });
    }
  });
});

describe('a head', () => {
  test.each([
    ['that asks for the end of its connection', 'GET', 'Connection: close'],
    ['with a body', 'GET', 'Content-Length: 5'],
    ['with chunks', 'GET', 'Transfer-Encoding: chunked'],
    ['with an expectation', 'GET', 'Expect: 100-continue'],
  ])('%s is not recalled', (_, method, header) => {
    expect(recalled(headOf(`${method} /3,07 HTTP/1.1`, [header], '1', []))).toBeUndefined();
  });

  test('of HTTP/1.0 is not recalled, and none is while answers say who gave them', () => {
    expect(recalled(headOf('GET /3,07 HTTP/1.0', [], '1', []))).toBeUndefined();
    const plain = headOf('GET /3,07 HTTP/1.1', [], '1', ['User-Agent: x/1']);
    expect(recalled(plain, true)).toBeUndefined();
    expect(recalled(plain)).toMatchObject({ bytes: plain, userAgent: 'x/1' });
  });
});

describe('a connection', () => {
  class Stage {
    given = 0;
    readonly askedBack: boolean[] = [];
    readonly left: string[] = [];
    isDestroyed = false;
    readonly seat: LaneSeat;

    constructor() {
      const handle = { fd: 9, reading: true, readStart: () => 0, readStop: () => 0 };
      const socket = {
        ...{ writableLength: 0, readableLength: 0, destroyed: false, readableEnded: false },
        isPaused: () => false,
        destroy: () => undefined,
        _handle: handle,
      };
      const lanes = {
        isOpen: true,
        askers: new Set(),
        mayTake: (freshness: unknown) => freshness !== undefined,
        give: () => {
          this.given += 1;
          return { lane: 0, id: this.given };
        },
        askBack: (_: unknown, isNow: boolean) => void this.askedBack.push(isNow),
        restingMs: () => 7,
      };
      this.seat = new LaneSeat(lanes as unknown as Lanes, {
        socket: socket as unknown as Socket,
        client: { address: 'a', isOwn: false },
        leftLane: (bytes) => void this.left.push(bytes.toString('latin1')),
        destroy: () => {
          this.isDestroyed = true;
        },
      });
    }

    /** An answer whose head was published, as is said. */
    answered(published: 'added' | 'known' | undefined): boolean {
      const headBytes = headOf('GET /3,07 HTTP/1.1', [], '1', []);
      const request = frame(headBytes);
      const exchange = { request, headBytes, debugHeaders: false, hasBody: false };
      const outcome = { kind: 'answer', freshness: 'granted', publish: () => published };
      this.seat.learn(
        exchange as unknown as Parameters<LaneSeat['learn']>[0],
        outcome as unknown as Parameters<LaneSeat['learn']>[1],
      );
      return this.seat.take();
    }
  }

  test('stays where it is until an answer of it was published', () => {
    const stage = new Stage();
    expect(stage.seat.take()).toBe(false);
    expect(stage.answered(undefined)).toBe(false);
    expect(stage.answered('added')).toBe(true);
  });

  test('whose every head is another one goes to a lane twice, and again when a head has come before', () => {
    const stage = new Stage();
    for (let i = 0; i < 50; i += 1) {
      if (stage.answered('added')) stage.seat.cameBack('bytes', Buffer.from('GET'), 0);
    }
    expect(stage.given).toBe(2);
    expect(stage.answered('known')).toBe(true);
    stage.seat.cameBack('bytes', Buffer.from('GET'), 3);
    expect(stage.seat.take()).toBe(true);
  });

  test('that a lane answered goes back to it, also behind a request that is not published', () => {
    const stage = new Stage();
    expect(stage.answered('added')).toBe(true);
    for (let i = 0; i < 20; i += 1) {
      stage.seat.cameBack('bytes', Buffer.from('PUT'), 1);
      expect(stage.seat.take()).toBe(true);
    }
  });

  test('comes back with its bytes, to be closed with them, or to be destroyed without', () => {
    const stage = new Stage();
    stage.answered('added');
    expect(stage.seat.restingMs).toBe(7);
    stage.seat.askBack('close');
    expect(stage.seat.isYielding).toBe(true);
    stage.seat.cameBack('asked', Buffer.from('rest'), 1);
    expect([stage.left, stage.askedBack, stage.isDestroyed]).toEqual([['rest'], [false], false]);
    expect(stage.seat.restingMs).toBe(0);

    const other = new Stage();
    other.answered('added');
    other.seat.askBack('destroy');
    other.seat.askBack('close');
    other.seat.cameBack('asked', Buffer.from('rest'), 1);
    expect([other.left, other.askedBack[0], other.isDestroyed]).toEqual([[''], true, true]);
  });

  test('that moved too little comes back to be destroyed', () => {
    const stage = new Stage();
    stage.answered('added');
    stage.seat.cameBack('idle', Buffer.from('GE'), 0);
    expect([stage.left, stage.isDestroyed]).toEqual([[''], true]);
  });
});
