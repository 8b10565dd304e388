/**
 * What the tests of a front have in common: before each test an upstream that answers `ok`, or as the test says; after
 * it upstream and front are closed. Importing this makes the hooks.
 */
import { afterEach, beforeEach } from 'vitest';
import {
  type FrontFixture,
  type FrontFixtureOptions,
  ok,
  type Received,
  startFront,
  startUpstream,
  type UpstreamFixture,
} from './http-front-fixture.ts';

export let upstream: UpstreamFixture;
/** The front that the test started last. */
export let fixture: FrontFixture;

/** How the upstream answers: a test sets it. */
export const stage: { answer: (request: Received) => void } = { answer: sayOk };

beforeEach(async () => {
  stage.answer = sayOk;
  upstream = await startUpstream((request) => stage.answer(request));
});

afterEach(async () => {
  await fixture?.close();
  await upstream.close();
});

export async function front(options: Partial<FrontFixtureOptions> = {}): Promise<void> {
  fixture = await startFront({ upstreamUrl: upstream.url, ...options });
}

export const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;

function sayOk({ socket }: Received): void {
  socket.write(ok);
}
