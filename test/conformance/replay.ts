/** Sends recorded requests, one connection each, and compares what comes back. */
import { differences, type Expectation } from './compare.ts';
import { RawConnection, type Received } from './raw-connection.ts';
import {
  type RecordedAnswer,
  type RecordedBodies,
  type RecordedCase,
  requestBytes,
} from './transcript.ts';

export interface ReplayTarget {
  readonly port: number;
  /** Where cases recorded on the public port go. */
  readonly publicPort: number;
  readonly bodies: RecordedBodies;
  /** False against a real server: it has the bodies that the stub replaces. */
  readonly isStubbed: boolean;
  readonly tokens: ReadonlyMap<string, string>;
}

export interface Replayed {
  readonly recorded: RecordedCase;
  readonly received: readonly Received[];
  readonly connection: RawConnection;
}

/** The connection stays open: `judge` closes it, and looks first whether the peer did. */
export async function replay(target: ReplayTarget, recorded: RecordedCase): Promise<Replayed> {
  const port = recorded.port === 'public' ? target.publicPort : target.port;
  const connection = await RawConnection.open(port);
  connection.send(requestBytes(recorded.request));
  const received: Received[] = [];
  const expected = recorded.expect ?? 1;
  while (received.length < expected) {
    const one = await connection.receive(recorded.request.method ?? 'GET');
    received.push(one);
    if (one.kind !== 'answer' || !one.answer.complete) break;
    if (one.answer.framing === 'eof') {
      if (received.length < expected) received.push({ kind: 'eof' });
      break;
    }
  }
  return { recorded, received, connection };
}

export function judge(target: ReplayTarget, replayed: Replayed): readonly string[] {
  const { recorded, received, connection } = replayed;
  const open = recorded.checkConn === true ? connection.isOpen : undefined;
  connection.close();
  return differences(expectationOf(target, recorded), received, open);
}

function expectationOf(
  { bodies, tokens, isStubbed }: ReplayTarget,
  recorded: RecordedCase,
): Expectation {
  return {
    recorded,
    tokens,
    bodyOf: (answer: RecordedAnswer) => bodies.of(answer),
    bodySha256: (answer: RecordedAnswer) =>
      isStubbed ? bodies.sha256Of(answer) : answer.bodySha256,
  };
}

/**
 * Sends the case's request so often on one connection, each time when the answer before has come, and judges each answer.
 * For cases with one answer that keeps the connection open.
 */
export async function replayRepeatedly(
  target: ReplayTarget,
  recorded: RecordedCase,
  times: number,
): Promise<readonly string[]> {
  const port = recorded.port === 'public' ? target.publicPort : target.port;
  const connection = await RawConnection.open(port);
  const bytes = requestBytes(recorded.request);
  const findings: string[] = [];
  for (let sent = 1; sent <= times; sent += 1) {
    connection.send(bytes);
    const received = [await connection.receive(recorded.request.method ?? 'GET')];
    const isOpen = recorded.checkConn === true ? connection.isOpen : undefined;
    const found = differences(expectationOf(target, recorded), received, isOpen);
    findings.push(...found.map((line) => `request ${sent} of its connection: ${line}`));
    if (found.length > 0) break;
  }
  connection.close();
  return findings;
}
