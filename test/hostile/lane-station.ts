/**
 * Two whole proxies over one volume, with lanes and without, each before an application of its own. A stream goes to both, on
 * connections that a lane has where there are lanes; what the two come to must be the same. One stream at a time.
 */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { startOrigin } from '../../src/origin/origin-server.ts';
import { type RunningProxy, startProxy } from '../../src/proxy/proxy.ts';
import { createVolume } from '../../src/rdma/volume-files.ts';
import { proxyOptions, whenConfirmed } from '../integration/admin-stage.ts';
import { RawClient } from '../integration/http-front-fixture.ts';
import { Application } from './application.ts';
import { headBytesMax } from './hostile-request.ts';
import { type Segmentation, whole } from './segments.ts';
import { happens } from './waiting.ts';

const cookie = 0x12345678;
export const publishedBody = 'published';
/** The only needle of the volume. */
export const publishedRead = 'GET /1,0112345678 HTTP/1.1\r\nHost: a\r\n\r\n';
const quietRounds = 4;
const quietMs = 5;
/** Requests of the proxy itself. */
const own = /^\/(?:status|0,0+|ui\/)/;

export function fillLaneVolume(dir: string): void {
  using volume = createVolume({ dir, volumeId: 1 });
  const data = Buffer.from(publishedBody, 'latin1');
  volume.append({ needleId: 1n, cookie, data, mime: 'text/plain' });
}

/** The end of one stream. */
export interface LaneCourse {
  readonly received: string;
  readonly closed: boolean;
  /** Whole requests, as the application received them. */
  readonly requests: readonly string[];
}

class Side {
  readonly application: Application;
  readonly proxy: RunningProxy;
  readonly lanes: number;

  constructor(application: Application, proxy: RunningProxy, lanes: number) {
    this.application = application;
    this.proxy = proxy;
    this.lanes = lanes;
  }

  get answeredByLanes(): number {
    return (this.proxy.status().lanes?.lanes ?? []).reduce((sum, lane) => sum + lane.requests, 0);
  }

  get heldByLanes(): number {
    return (this.proxy.status().lanes?.lanes ?? []).reduce(
      (sum, lane) => sum + lane.connections,
      0,
    );
  }

  /** A connection that a lane has, and that has answered one read of it. */
  async primed(): Promise<RawClient> {
    const client = new RawClient(Number(this.proxy.address.split(':').at(-1)));
    const before = this.answeredByLanes;
    for (let sent = 1; sent <= 2; sent += 1) {
      client.send(publishedRead);
      await client.until((received) => received.split(publishedBody).length > sent);
    }
    // A lane counts an answer when it is sent.
    const expected = before + (this.lanes > 0 ? 1 : 0);
    if (!(await happens(() => this.answeredByLanes === expected))) {
      client.socket.destroy();
      throw new Error(`lanes answered ${this.answeredByLanes - before} of 2 reads`);
    }
    client.received = '';
    this.application.seen = [];
    this.application.requests = [];
    return client;
  }

  course(client: RawClient): LaneCourse {
    return {
      received: withoutOwnValues(client.received),
      closed: client.closed,
      requests: [...this.application.requests],
    };
  }

  async close(): Promise<void> {
    await this.proxy.close(0);
    await this.application.close();
  }
}

export class LaneStation {
  readonly #sides: readonly [withLanes: Side, without: Side];
  readonly #closeOrigin: () => Promise<void>;

  static async start(dir: string, lanes: number): Promise<LaneStation> {
    const listen = { host: '127.0.0.1', port: 0 };
    const origin = await startOrigin({ dirs: [dir], listen, logger: { info: () => undefined } });
    const sides = [await startSide(dir, origin.url, lanes), await startSide(dir, origin.url, 0)];
    for (const side of sides) {
      const client = new RawClient(Number(side.proxy.address.split(':').at(-1)));
      // A miss, a hit that is prepared, a prepared hit that is published.
      for (let sent = 1; sent <= 3; sent += 1) {
        client.send(publishedRead);
        await client.until((received) => received.split(publishedBody).length > sent);
      }
      client.socket.destroy();
    }
    return new LaneStation(sides as [Side, Side], () => origin.close());
  }

  private constructor(sides: readonly [Side, Side], closeOrigin: () => Promise<void>) {
    this.#sides = sides;
    this.#closeOrigin = closeOrigin;
  }

  get answeredByLanes(): number {
    return this.#sides[0].answeredByLanes;
  }

  async close(): Promise<void> {
    await Promise.all(this.#sides.map((side) => side.close()));
    await this.#closeOrigin();
  }

  /** The courses of a stream, with lanes and without, when both have come to rest. */
  async run(
    bytes: Buffer,
    segmentation: Segmentation = whole,
    andThen: (client: RawClient) => void = () => undefined,
  ): Promise<readonly [LaneCourse, LaneCourse]> {
    const [withLanes, without] = this.#sides;
    const clients = [await withLanes.primed(), await without.primed()] as const;
    await Promise.all(
      clients.map(async (client) => {
        await segmentation.send(client, bytes);
        andThen(client);
      }),
    );
    const courses = (): readonly [LaneCourse, LaneCourse] => [
      withLanes.course(clients[0]),
      without.course(clients[1]),
    ];
    await quiet(() => JSON.stringify(without.course(clients[1])));
    // Late is no difference.
    await happens(() => difference(...courses()) === undefined, 2_000);
    await quiet(() => JSON.stringify(courses()));
    const [first, second] = courses();
    for (const client of clients) client.socket.destroy();
    const isHome = (): boolean => withLanes.heldByLanes === 0;
    if (!(await happens(isHome))) throw new Error('a lane keeps a connection that has ended');
    return [first, second];
  }
}

async function startSide(dir: string, originUrl: string, lanes: number): Promise<Side> {
  const application = await Application.start(true, (asked, answer) => {
    if (!own.test(asked.url ?? '')) return false;
    request(`${originUrl}${asked.url}`, { method: asked.method }, (found) => {
      answer.writeHead(found.statusCode ?? 500, found.rawHeaders);
      found.pipe(answer);
    })
      .on('error', () => answer.destroy())
      .end();
    return true;
  });
  const options = proxyOptions(dir, application.url, {});
  const limits = { ...options.http.limits, headBytes: headBytesMax };
  const http = { ...options.http, limits, lanes };
  const proxy = await startProxy({ ...options, http }, pino({ level: 'silent' }));
  await whenConfirmed(proxy);
  return new Side(application, proxy, lanes);
}

/** Until nothing has changed for a while. */
async function quiet(look: () => string): Promise<void> {
  let earlier = '';
  for (let rounds = 0; rounds < quietRounds; rounds += 1) {
    const now = look();
    if (now !== earlier) rounds = 0;
    earlier = now;
    await sleep(quietMs);
  }
}

/** undefined: there is none. */
export function difference(withLanes: LaneCourse, without: LaneCourse): string | undefined {
  if (withLanes.closed !== without.closed) {
    return `closed: ${withLanes.closed}, without lanes ${without.closed}`;
  }
  if (withLanes.received !== without.received) {
    return `received ${show(withLanes.received)}, without lanes ${show(without.received)}`;
  }
  const { length } = withLanes.requests;
  // An application may see requests behind the one whose answer ends the connection, or may not.
  const count = withLanes.closed ? Math.min(length, without.requests.length) : undefined;
  const [found, expected] = [withLanes, without].map(({ requests }) =>
    show(requests.slice(0, count)),
  );
  return found === expected ? undefined : `requests ${found}, without lanes ${expected}`;
}

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 800);
}

function withoutOwnValues(text: string): string {
  return text
    .replace(/^X-Amz-Request-Id: [0-9A-F]{24}\r$/gim, 'X-Amz-Request-Id: *\r')
    .replace(/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r$/gm, 'Date: *\r');
}
