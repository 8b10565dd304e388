/**
 * Sends the same bytes to an application directly and through a front, and says how the two differ. One stream at a
 * time, so that all that happens belongs to it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  eventually,
  type FrontFixture,
  needleAnswer,
  passed,
  RawClient,
  startFront,
} from '../integration/http-front-fixture.ts';
import { Application, answerBody } from './application.ts';
import { headBytesMax } from './hostile-request.ts';
import { type Segmentation, whole } from './segments.ts';
import { happens } from './waiting.ts';

/** Reads of this needle are answered by the corridor, as from a cache, where it gets to see them. */
const cachedNeedle = '/1,0112345678';

function get(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
}

/** A read that the corridor answers. */
export const cachedRead = (tag: string): string => get(`${cachedNeedle}?${tag}`);
/** A read that the application answers. */
export const passedRead = (tag: string): string => get(`/1,0212345678?${tag}`);

/** What became of one stream. */
export interface Course {
  /** All that the client got, without the lines that end at each hop. */
  readonly received: string;
  readonly closed: boolean;
  /** Requests that were carried out, by name and in order, whoever did it. */
  readonly carriedOut: readonly string[];
}

export interface StationOptions {
  readonly lane: boolean;
  readonly lenient: boolean;
}

interface StationParts {
  readonly alone: Application;
  readonly application: Application;
  readonly front: FrontFixture;
  readonly understood: string[];
}

export interface Sending {
  readonly bytes: Buffer;
  readonly segmentation: Segmentation;
  /** What happens to the bytes without a front. */
  readonly direct: Course;
  /** The front may end the connection early. */
  readonly mayEnd: boolean;
}

/** Nothing more happens when nothing happened for so many rounds. */
const quietRounds = 4;
const quietMs = 6;

export class Station {
  /** What is asked directly. */
  readonly #alone: Application;
  /** What is behind the front. */
  readonly #application: Application;
  readonly #front: FrontFixture;
  /** Heads that the front understood. */
  readonly #understood: string[];

  static async start({ lane, lenient }: StationOptions): Promise<Station> {
    const alone = await Application.start(lenient);
    const application = await Application.start(lenient);
    const understood: string[] = [];
    const front = await startFront({
      upstreamUrl: application.url,
      lane,
      limits: { headBytes: headBytesMax },
      serve: ({ method, target }, hasBody) => {
        const name = `${method} ${target}`;
        understood.push(name);
        if (method !== 'GET' || hasBody || !target.startsWith(cachedNeedle)) {
          return passed(application.url);
        }
        application.seen.push(name);
        return needleAnswer(Buffer.from(answerBody(name, ''), 'latin1'));
      },
    });
    return new Station({ alone, application, front, understood });
  }

  private constructor(parts: StationParts) {
    this.#alone = parts.alone;
    this.#application = parts.application;
    this.#front = parts.front;
    this.#understood = parts.understood;
  }

  async close(): Promise<void> {
    await this.#front.close();
    await this.#application.close();
    await this.#alone.close();
  }

  /** What the application alone makes of the bytes. */
  async direct(bytes: Buffer): Promise<Course> {
    const application = this.#alone;
    application.seen = [];
    application.connections = [];
    const client = new RawClient(application.port);
    await whole.send(client, bytes);
    const cameBytes = (): number =>
      application.connections.flat().reduce((sum, { length }) => sum + length, 0);
    await happens(() => client.closed || cameBytes() === bytes.length);
    await quiet(client, application);
    const course = courseOf(client, application);
    client.socket.destroy();
    await eventually(() => application.sockets.size === 0);
    return course;
  }

  /** What differs behind the front, one line for each finding. */
  async compare({ bytes, segmentation, direct, mayEnd }: Sending): Promise<readonly string[]> {
    const application = this.#application;
    const { records, front } = this.#front;
    application.seen = [];
    const earlierConnections = application.connections.length;
    records.length = 0;
    this.#understood.length = 0;

    const client = this.#front.connect();
    await segmentation.send(client, bytes);
    const isThere = (): boolean =>
      client.closed ||
      (!direct.closed &&
        unhopped(client.received) === direct.received &&
        application.seen.length >= direct.carriedOut.length);
    await happens(isThere);
    const findings: string[] = [];
    const before = courseOf(client, application);
    findings.push(...differences(before, direct, mayEnd));
    findings.push(...(await this.#rawBytes(bytes, earlierConnections, client)));
    client.socket.destroy();

    const raw = (): number => records.filter(({ reason }) => reason === 'raw').length;
    const { stats } = front;
    const isHome = (): boolean =>
      stats.connections === 0 &&
      stats.requestsInFlight === 0 &&
      stats.bytesInFlight === 0 &&
      stats.bytesCopied === 0;
    if (!(await happens(isHome))) findings.push(`left over: ${JSON.stringify(stats)}`);
    const understood = this.#understood.length;
    if (!(await happens(() => records.length - raw() === understood))) {
      findings.push(`${understood} understood, counted: ${JSON.stringify(records)}`);
    }
    // Requests that the front did not understand got there on a raw connection, which counts as one.
    const unread = application.seen.length > understood;
    if (raw() > 1 || (unread && !(await happens(() => raw() === 1)))) {
      findings.push(`raw connections counted: ${raw()}`);
    }
    const after = courseOf(client, application);
    if (after.carriedOut.length !== before.carriedOut.length) {
      findings.push(`carried out later: ${JSON.stringify(after.carriedOut)}`);
    }
    return findings;
  }

  /** What goes unread has all its bytes, unless the application has closed the connection before they came. */
  async #rawBytes(
    bytes: Buffer,
    earlierConnections: number,
    client: RawClient,
  ): Promise<readonly string[]> {
    const { connections } = this.#application;
    const isRaw = (came: Buffer[]): boolean =>
      !this.#understood.some(
        (name) => Buffer.concat(came).toString('latin1', 0, name.length) === name,
      );
    const came = connections.slice(earlierConnections).find(isRaw);
    if (came === undefined) return [];
    const isWhole = (): boolean => {
      const last = Buffer.concat(came);
      return last.equals(bytes.subarray(bytes.length - last.length));
    };
    if (await happens(() => client.closed || isWhole())) {
      if (isWhole() || (client.closed && bytes.includes(Buffer.concat(came)))) return [];
    }
    return [`raw bytes: ${show(Buffer.concat(came).toString('latin1'))}`];
  }
}

function courseOf(client: RawClient, application: Application): Course {
  return {
    received: unhopped(client.received),
    closed: client.closed,
    carriedOut: [...application.seen],
  };
}

/** Until nothing has happened for a while. */
async function quiet(client: RawClient, application: Application): Promise<void> {
  let earlier = '';
  for (let rounds = 0; rounds < quietRounds; rounds += 1) {
    const now = `${client.received.length} ${client.closed} ${application.seen.length}`;
    if (now !== earlier) rounds = 0;
    earlier = now;
    await sleep(quietMs);
  }
}

function differences(course: Course, direct: Course, mayEnd: boolean): readonly string[] {
  const findings: string[] = [];
  const isCut = mayEnd && course.closed && direct.received.startsWith(course.received);
  if (course.received !== direct.received && !isCut) {
    findings.push(`received ${show(course.received)}, directly ${show(direct.received)}`);
  }
  if (course.closed !== direct.closed && !isCut) {
    findings.push(`closed: ${course.closed}, directly ${direct.closed}`);
  }
  const carriedOut = course.carriedOut.join('\n');
  const asDirectly = direct.carriedOut.join('\n');
  // An application may see requests behind the one whose answer ends the connection, or may not.
  const mayBeFewer = isCut || (direct.closed && course.closed);
  if (mayBeFewer ? !asDirectly.startsWith(carriedOut) : carriedOut !== asDirectly) {
    findings.push(`carried out ${show(course.carriedOut)}, directly ${show(direct.carriedOut)}`);
  }
  return findings;
}

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 600);
}

/** Node says in each answer what the next hop makes of the connection; a needle's answer has a Server besides, and some have a Date. */
function unhopped(text: string): string {
  return text.replace(/^(?:Connection|Keep-Alive|Server|Date): .*\r\n/gm, '');
}
