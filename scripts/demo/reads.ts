/** The demo's reads: whole needles, ranges and HEAD through the proxy, each compared with what the volume files hold. */
import { type Answer, ask, type Question } from './client.ts';
import { Readings } from './readings.ts';
import type { Sample } from './samples.ts';

export interface Wanted {
  readonly status: number;
  readonly body: Buffer;
  /** Value of Content-Length, where the body is not sent. */
  readonly length?: number;
}

export interface Checked {
  readonly answer: Answer;
  /** One line; undefined: the answer is the wanted one. */
  readonly difference: string | undefined;
}

const connections = 8;
/** Differ from answer to answer, or exist only with debug_headers. */
const ownHeaders = new Set([
  'date',
  'x-amz-request-id',
  'x-rdma-source',
  'server-timing',
  'cache-status',
  'connection',
  'keep-alive',
]);

export async function readMany(
  proxy: string,
  needles: readonly Sample[],
  reads: number,
): Promise<{ readonly readings: Readings; readonly seconds: number }> {
  const readings = new Readings();
  const startedAt = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < reads) {
      const at = next++;
      const needle = needles[at % needles.length] as Sample;
      const { answer, difference } = await readOne(proxy, needle, at);
      readings.add(answer, difference);
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  return { readings, seconds: (performance.now() - startedAt) / 1000 };
}

/** Twenty reads contain two for a range, one HEAD and one for a needle that is not there. */
function readOne(proxy: string, { path, bytes }: Sample, at: number): Promise<Checked> {
  switch (at % 20) {
    case 3:
    case 13: {
      const last = Math.min(bytes.length - 1, 99 + (at % 1000));
      const first = Math.min(last, at % 100);
      const wanted = { status: 206, body: bytes.subarray(first, last + 1) };
      return checked(proxy, { path, headers: { range: `bytes=${first}-${last}` } }, wanted);
    }
    case 7: {
      const wanted = { status: 200, body: Buffer.alloc(0), length: bytes.length };
      return checked(proxy, { path, method: 'HEAD' }, wanted);
    }
    case 17:
      return checked(
        proxy,
        { path: path.replace(/,.*/, ',ffffffffffff00000000') },
        { status: 404, body: Buffer.alloc(0) },
      );
    default:
      return checked(proxy, { path }, { status: 200, body: bytes });
  }
}

/** Asks once and compares the answer with the wanted one. */
export async function checked(address: string, what: Question, wanted: Wanted): Promise<Checked> {
  const answer = await ask(address, what);
  const length = Number(answer.headers['content-length'] ?? answer.body.length);
  const isEqual =
    answer.status === wanted.status &&
    answer.body.equals(wanted.body) &&
    (wanted.length === undefined || wanted.length === length);
  const name = `${what.method ?? 'GET'} ${what.path}`;
  const difference = isEqual
    ? undefined
    : `${name}: wanted ${wanted.status} with ${wanted.body.length} bytes, got ${answer.status} with ${answer.body.length}${answer.status === wanted.status ? ' other ones' : ''}`;
  return { answer, difference };
}

/** Asks both for every needle; every difference of status, headers or bytes in one line. */
export async function compareBoth(
  proxy: string,
  volumeServer: string,
  needles: readonly Sample[],
): Promise<string[]> {
  const found: string[] = [];
  for (const { path } of needles) {
    const [ours, theirs] = [await ask(proxy, { path }), await ask(volumeServer, { path })];
    if (ours.status !== theirs.status) found.push(`${path}: ${ours.status}, not ${theirs.status}`);
    if (!ours.body.equals(theirs.body)) found.push(`${path}: other bytes`);
    if (headersOf(ours) !== headersOf(theirs)) found.push(`${path}: other headers`);
  }
  return found;
}

function headersOf(answer: Answer): string {
  const kept = Object.entries(answer.headers).filter(([name]) => !ownHeaders.has(name));
  return JSON.stringify(kept);
}
