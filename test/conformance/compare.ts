/** Recorded answers against received ones, as strictly as replay.py --strict: order, casing, framing, connection. */
import type { Received, ReceivedAnswer } from './raw-connection.ts';
import {
  answersOf,
  type HeaderList,
  type RecordedAnswer,
  type RecordedCase,
  sha256,
} from './transcript.ts';

export interface Expectation {
  readonly recorded: RecordedCase;
  /** The body's hash that stands in this run (bodies that the stub replaces have another than the recorded). */
  readonly bodySha256: (answer: RecordedAnswer) => string;
  readonly bodyOf: (answer: RecordedAnswer) => Buffer;
  /** host:port as received → the token that stands for it in the recording. */
  readonly tokens: ReadonlyMap<string, string>;
}

const datePattern =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT$/;
const requestIdPattern = /^[0-9A-F]{24}$/;
const boundaryPattern = /^multipart\/byteranges; boundary=([0-9a-f]{60})$/;

/** Each difference in one line; empty: equal. `open`: undefined where the recording does not say. */
export function differences(
  expectation: Expectation,
  received: readonly Received[],
  open: boolean | undefined,
): readonly string[] {
  const expected = answersOf(expectation.recorded);
  const found: string[] = [];
  if (expected.length !== received.length) {
    found.push(`answers on the connection: expected ${expected.length}, got ${received.length}`);
  }
  for (const [index, answer] of expected.entries()) {
    const got = received[index];
    if (got === undefined) break;
    const tag = expected.length === 1 ? '' : `answer ${index + 1}: `;
    for (const line of answerDifferences(expectation, answer, got)) found.push(tag + line);
  }
  const wanted = expectation.recorded.response.open;
  if (wanted !== undefined && wanted !== null && open !== undefined && wanted !== open) {
    found.push(`connection after the answer: expected ${word(wanted)}, got ${word(open)}`);
  }
  return found;
}

function word(open: boolean): string {
  return open ? 'open' : 'closed';
}

function answerDifferences(
  expectation: Expectation,
  expected: RecordedAnswer,
  received: Received,
): string[] {
  if (expected.statusLine === undefined || received.kind !== 'answer') {
    if (expected.eof === true && received.kind === 'eof') return [];
    return [
      `expected ${expected.statusLine ?? 'a close without an answer'}, got ${describe(received)}`,
    ];
  }
  const { answer } = received;
  const found: string[] = [];
  if (expected.statusLine !== answer.statusLine) {
    found.push(`status line: expected ${expected.statusLine}, got ${answer.statusLine}`);
  }
  if (answer.truncatedHeaders) found.push('the headers ended early');
  if (expectation.recorded.loose === true) return [...found, ...nameDifferences(expected, answer)];
  found.push(...headerDifferences(expectation, expected, answer));
  if (expected.framing !== answer.framing) {
    found.push(`framing: expected ${expected.framing}, got ${answer.framing}`);
  }
  if (expected.complete !== answer.complete) {
    found.push(`body complete: expected ${expected.complete}, got ${answer.complete}`);
  }
  found.push(...bodyDifferences(expectation, expected, answer));
  return found;
}

function describe(received: Received): string {
  if (received.kind === 'answer') return received.answer.statusLine;
  return received.kind === 'garbage' ? `garbage ${received.text.slice(0, 80)}` : received.kind;
}

function nameDifferences(expected: RecordedAnswer, answer: ReceivedAnswer): string[] {
  const names = (headers: HeaderList): string =>
    headers
      .map(([name]) => name)
      .sort()
      .join(', ');
  if (names(expected.headers) === names(answer.headers)) return [];
  return [`header names: expected ${names(expected.headers)}, got ${names(answer.headers)}`];
}

function headerDifferences(
  expectation: Expectation,
  expected: RecordedAnswer,
  answer: ReceivedAnswer,
): string[] {
  const { vary } = expectation.recorded;
  // An address in the body may have another length than the recorded one.
  const keeps = ([name]: readonly [string, string]): boolean =>
    expected.tokens !== true || name !== 'Content-Length';
  const wanted = expected.headers.filter(keeps).map((each) => normalHeader(each, vary, new Map()));
  const got = answer.headers
    .filter(keeps)
    .map((each) => normalHeader(each, vary, expectation.tokens));
  if (wanted.join('\n') === got.join('\n')) return [];
  const missing = wanted.filter((line) => !got.includes(line));
  const unexpected = got.filter((line) => !wanted.includes(line));
  if (missing.length === 0 && unexpected.length === 0 && wanted.length === got.length) {
    const names = (lines: readonly string[]): string =>
      lines.map((line) => line.split(':')[0]).join(', ');
    return [`header order: expected ${names(wanted)}, got ${names(got)}`];
  }
  return [
    ...missing.map((line) => `header missing: ${line}`),
    ...unexpected.map((line) => `header unexpected: ${line}`),
    ...(wanted.length === got.length
      ? []
      : [`headers: expected ${wanted.length}, got ${got.length}`]),
  ];
}

function normalHeader(
  [name, value]: readonly [string, string],
  vary: readonly string[] | undefined,
  tokens: ReadonlyMap<string, string>,
): string {
  const varies = (header: string): boolean =>
    name.toLowerCase() === header.toLowerCase() && (vary === undefined || vary.includes(header));
  if (varies('Date')) return `${name}: ${datePattern.test(value) ? '<date>' : `<bad> ${value}`}`;
  if (varies('X-Amz-Request-Id')) {
    return `${name}: ${requestIdPattern.test(value) ? '<request id>' : `<bad> ${value}`}`;
  }
  if (name.toLowerCase() === 'content-type' && boundaryPattern.test(value)) {
    return `${name}: multipart/byteranges; boundary=<60 hex>`;
  }
  return `${name}: ${withTokens(value, tokens)}`;
}

function withTokens(text: string, tokens: ReadonlyMap<string, string>): string {
  let result = text;
  for (const [address, token] of tokens) result = result.replaceAll(address, token);
  return result;
}

function bodyDifferences(
  expectation: Expectation,
  expected: RecordedAnswer,
  answer: ReceivedAnswer,
): string[] {
  const body = withoutBoundary(answer);
  if (expected.tokens === true) {
    const wanted = expectation.bodyOf(expected).toString('latin1');
    const got = withTokens(body.toString('latin1'), expectation.tokens);
    return wanted === got ? [] : [`body: expected ${wanted}, got ${got}`];
  }
  if (expected.bodyLength !== body.length) {
    return [`body length: expected ${expected.bodyLength}, got ${body.length}: ${preview(body)}`];
  }
  if (expectation.bodySha256(expected) === sha256(body)) return [];
  return [`body differs: got ${preview(body)}`];
}

function withoutBoundary(answer: ReceivedAnswer): Buffer {
  const type = answer.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
  const boundary = boundaryPattern.exec(type)?.[1];
  if (boundary === undefined) return answer.body;
  const text = answer.body.toString('latin1').replaceAll(boundary, 'B'.repeat(60));
  return Buffer.from(text, 'latin1');
}

function preview(body: Buffer): string {
  return JSON.stringify(body.toString('latin1', 0, 60));
}
