/** Names that lanes count under: known as long as counts may come, and no longer. */
import { afterEach, expect, test, vi } from 'vitest';
import { Lanes, type NewAnswer } from './lanes.ts';

const opened: Lanes[] = [];
afterEach(() => {
  for (const lanes of opened.splice(0)) lanes.close();
});

function lanesOf(mustSeeAll: () => boolean = () => false): Lanes {
  const lanes = new Lanes({
    count: 2,
    askersMin: 2,
    limits: { idleTimeoutMs: 1_000, bytesInFlight: 1_000 },
    durationBounds: [1],
    waitBounds: [1],
    copiedBytesMax: 1_000,
    mustSeeAll,
    ask: (_, settle) => settle(false),
    onTally: () => undefined,
  });
  opened.push(lanes);
  return lanes;
}

const blanks = ' '.repeat(60);

function answerOf(head: string, userAgent = 'x/1'): NewAnswer & { readonly endHold: () => void } {
  const endHold = vi.fn();
  return {
    request: { bytes: Buffer.from(head, 'latin1'), holeAt: -1, holeEnd: -1, userAgent },
    answer: Buffer.from(`HTTP/1.1 200 OK\r\n${blanks}\r\n\r\n`, 'latin1'),
    idAt: 17,
    idAgainAt: -1,
    dateAt: 45,
    body: undefined,
    isByReference: false,
    holder: { endHold },
    endHold,
    expiresInMs: undefined,
  };
}

const head = 'GET /3,01 HTTP/1.1\r\nHost: a\r\n\r\n';

test('a volume is known until it was forgotten and everything was counted', () => {
  const lanes = lanesOf();
  const [first, second] = [lanes.newVolume(3, {}, 'asked'), lanes.newVolume(4, {}, 'asked')];
  first.forget();
  expect([lanes.volumeIdOf(first.id), lanes.volumeIdOf(second.id)]).toEqual([3, 4]);
  lanes.collect();
  expect([lanes.volumeIdOf(first.id), lanes.volumeIdOf(second.id)]).toEqual([-1, 4]);
  expect(lanes.newVolume(3, {}, 'asked').id).not.toBe(first.id);
});

test('one head is published once for a volume, and anew when the volume was dropped', () => {
  const lanes = lanesOf();
  const volume = lanes.newVolume(3, {}, 'asked');
  const answers = [answerOf(head), answerOf(head), answerOf(head)] as const;
  const id = lanes.publish(volume, answers[0]);
  expect(id).toBeGreaterThan(0);
  expect(lanes.publish(volume, answers[1])).toBe(0);
  expect(lanes.agents.size).toBe(1);
  volume.drop();
  const next = lanes.publish(volume, answers[2]);
  expect(next).toBeGreaterThan(id);
  expect(lanes.status().published).toBe(2);
  lanes.withdraw(id);
  lanes.withdraw(id);
  expect(answers[0].endHold).toHaveBeenCalledOnce();
  expect(answers[2].endHold).not.toHaveBeenCalled();
  lanes.withdraw(next);
  expect(answers[2].endHold).toHaveBeenCalledOnce();
  lanes.collect();
  expect([lanes.status().published, lanes.agents.size]).toEqual([0, 0]);
});

test('an answer whose places do not lie within it is refused', () => {
  const lanes = lanesOf();
  const volume = lanes.newVolume(3, {}, 'asked');
  const { answer } = answerOf(head);
  for (const change of [{ idAt: answer.length }, { dateAt: answer.length - 1 }, { idAt: -1 }]) {
    expect(() => lanes.publish(volume, { ...answerOf(head), ...change })).toThrow(/published/);
  }
  expect(lanes.status().published).toBe(0);
});

test('no connection is given to lanes that are closed, or where every request must be seen', () => {
  let mustSeeAll = false;
  const lanes = lanesOf(() => mustSeeAll);
  const client = { cameBack: () => undefined };
  mustSeeAll = true;
  expect(lanes.isOpen).toBe(true);
  lanes.adjust();
  expect(lanes.isOpen).toBe(false);
  expect(lanes.give(client, 0, 'a')).toBeUndefined();
  mustSeeAll = false;
  lanes.adjust();
  lanes.close();
  expect(lanes.give(client, 0, 'a')).toBeUndefined();
  lanes.close();
});

test('few connections of volumes that are asked for stay out, and many are taken', () => {
  const lanes = lanesOf();
  const client = { cameBack: () => undefined };
  expect([lanes.mayTake('granted'), lanes.mayTake('asked'), lanes.mayTake(undefined)]).toEqual([
    true,
    false,
    false,
  ]);
  lanes.askers.add(client).add({ ...client });
  expect([lanes.mayTake('asked'), lanes.mayTake(undefined)]).toEqual([true, false]);
});
