/**
 * A volume server that answers as none should: whoever asked for something else gets its own answer, whole, or none;
 * the connection of the request in hand is either still in step or closed, and everything is counted once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  type FrontFixture,
  passed,
  type RawClient,
  startFront,
} from '../integration/http-front-fixture.ts';
import { isInDoubt, readAnswers } from './client-parser.ts';
import { type HostileAnswer, hostileAnswers, strayMark } from './hostile-answers.ts';
import { head, victim } from './hostile-request.ts';
import { innocentAnswer, ScriptedUpstream } from './scripted-upstream.ts';
import { stationsFor } from './stations.ts';
import { happens } from './waiting.ts';

const findingsMax = 30;

interface Asked {
  readonly name: string;
  readonly method: string;
  readonly bytes: string;
}

/** By the relay, by the framework, and with bodies that end or do not. */
const requests: readonly Asked[] = [
  { name: 'GET', method: 'GET', bytes: head('GET') },
  { name: 'HEAD', method: 'HEAD', bytes: head('HEAD') },
  { name: 'GET by the framework', method: 'GET', bytes: head('GET', 'TE: trailers') },
  { name: 'HEAD by the framework', method: 'HEAD', bytes: head('HEAD', 'TE: trailers') },
  { name: 'PUT', method: 'PUT', bytes: `${head('PUT', 'Content-Length: 5')}hello` },
  {
    name: 'PUT in chunks',
    method: 'PUT',
    bytes: `${head('PUT', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
  },
];

/** Without the lane they are raw. */
const old: readonly Asked[] = ['Connection: keep-alive', 'Connection: close'].map((line) => ({
  name: `GET of HTTP/1.0 with ${line}`,
  method: 'GET',
  bytes: `GET ${victim} HTTP/1.0\r\n${line}\r\n\r\n`,
}));

const odd: readonly Asked[] = [
  { name: 'GET with Expect', method: 'GET', bytes: head('GET', 'Expect: 100-continue') },
  { name: 'GET with an offer', method: 'GET', bytes: head('GET', 'Upgrade: h2c') },
  {
    name: 'PUT with Expect',
    method: 'PUT',
    bytes: `${head('PUT', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
  },
  {
    name: 'PUT in chunks with Expect and an offer',
    method: 'PUT',
    bytes: `${head('PUT', 'Expect: 100-continue', 'Upgrade: h2c', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
  },
];

/** The next request's bytes are part of these bodies. */
const unfinished: readonly Asked[] = [
  {
    name: 'unfinished PUT with Expect',
    method: 'PUT',
    bytes: head('PUT', 'Expect: 100-continue', 'Content-Length: 100000'),
  },
  { name: 'unfinished PUT', method: 'PUT', bytes: head('PUT', 'Content-Length: 100000') },
  {
    name: 'unfinished PUT in chunks',
    method: 'PUT',
    bytes: `${head('PUT', 'Transfer-Encoding: chunked')}fffff\r\n`,
  },
];

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const nextTarget = '/1,0212345678?next';

it('are many, and each has a name of its own', () => {
  expect(hostileAnswers.length).toBeGreaterThan(100);
  expect(new Set(hostileAnswers.map(({ name }) => name)).size).toBe(hostileAnswers.length);
});

class AnswerStation {
  readonly #upstream: ScriptedUpstream;
  readonly #front: FrontFixture;
  readonly #served: { count: number };

  static async start(lane: boolean): Promise<AnswerStation> {
    const upstream = await ScriptedUpstream.start();
    const served = { count: 0 };
    const front = await startFront({
      upstreamUrl: upstream.url,
      lane,
      serve: () => {
        served.count += 1;
        return passed(upstream.url);
      },
    });
    return new AnswerStation(upstream, front, served);
  }

  private constructor(upstream: ScriptedUpstream, front: FrontFixture, served: { count: number }) {
    this.#upstream = upstream;
    this.#front = front;
    this.#served = served;
  }

  async close(): Promise<void> {
    await this.#front.close();
    await this.#upstream.close();
  }

  /** What is wrong, one line for each finding. */
  async ask(asked: Asked, answer: HostileAnswer, byteByByte: boolean): Promise<readonly string[]> {
    const upstream = this.#upstream;
    const { records, front } = this.#front;
    upstream.tells(answer, byteByByte);
    records.length = 0;
    this.#served.count = 0;

    const other = this.#front.connect();
    const findings = await this.#innocent(other, 'before');
    const client = this.#front.connect();
    client.send(asked.bytes + get(nextTarget));
    const ended = (): boolean =>
      client.closed || client.received.endsWith(innocentAnswer(nextTarget));
    await happens(() => upstream.toldCount > 0);
    if (answer.isPending) await sleep(10);
    else await happens(ended);
    findings.push(...(await this.#innocent(other, 'behind')));
    const { received, closed } = client;
    client.socket.destroy();
    const third = this.#front.connect();
    findings.push(...(await this.#innocent(third, 'later')));
    third.socket.destroy();
    other.socket.destroy();

    const { stats } = front;
    if (!(await happens(() => stats.connections === 0 && stats.requestsInFlight === 0))) {
      findings.push(`left over: ${JSON.stringify(stats)}`);
    }
    if (!(await happens(() => records.length === this.#served.count))) {
      findings.push(
        `${this.#served.count} served, counted: ${JSON.stringify(records.map(({ outcome, reason }) => `${outcome} ${reason}`))}`,
      );
    }
    if (asked.method === 'PUT' && upstream.toldCount > 1) findings.push('a write was sent twice');
    findings.push(...this.#wrongWith({ received, closed }, asked, answer));
    return findings;
  }

  /** Somebody else's read. */
  async #innocent(client: RawClient, name: string): Promise<string[]> {
    const target = `/1,0212345678?${name}`;
    const from = client.received.length;
    client.send(get(target));
    const expected = innocentAnswer(target);
    await happens(() => client.closed || client.received.length >= from + expected.length);
    const received = client.received.slice(from);
    return received === expected ? [] : [`${name} got ${JSON.stringify(received)}`];
  }

  #wrongWith(
    { received, closed }: Pick<RawClient, 'received' | 'closed'>,
    asked: Asked,
    answer: HostileAnswer,
  ): readonly string[] {
    const next = innocentAnswer(nextTarget);
    const show = JSON.stringify(received.slice(0, 300));
    if (/\?(?:before|behind|later)/.test(received)) return [`somebody else's answer: ${show}`];
    const { answers, rest } = readAnswers(received, [asked.method, 'GET']);
    const isInStep = answers.length === 2 && answers[1] === next && rest === '';
    if (isInDoubt(rest)) return [`its end is in doubt: ${show}`];
    if (received.includes(strayMark)) return [`more than its own answer: ${show}`];
    if (received.includes(`[${nextTarget}]`)) return isInStep ? [] : [`out of step: ${show}`];
    return closed || answer.isPending ? [] : [`neither answered nor closed: ${show}`];
  }
}

describe.each([true, false])('with lane %s', (lane) => {
  const onEach = stationsFor(() => AnswerStation.start(lane));
  const asked = [...requests, ...odd, ...(lane ? old : []), ...unfinished];

  it('hostile answers hurt nobody else', async () => {
    const findings: string[] = [];
    const work = hostileAnswers
      .flatMap((answer) => asked.map((each) => ({ answer, asked: each })))
      .values();
    await onEach(async (station) => {
      for (const { answer, asked } of work) {
        for (const byteByByte of answer.isStray ? [false] : [false, true]) {
          if (findings.length >= findingsMax) return;
          const found = await station.ask(asked, answer, byteByByte);
          const how = `${asked.name}, ${answer.name}${byteByByte ? ', byte by byte' : ''}`;
          findings.push(...found.map((each) => `${how}: ${each}`));
        }
      }
    });
    expect(findings).toEqual([]);
  }, 120_000);
});
