/**
 * Somebody who may write needles tries to decide what type other users' needles get: he overwrites his own by turns
 * without and with a type, and reads it all the time by a name whose extension the proxy has yet to
 * learn.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { weed } from './run-clients.ts';

const extensions = Array.from({ length: 15 }, (_, index) => `.own${index}`);
const evil = 'text/x-evil';
const attackMs = 500;
const readers = 4;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.start({ weed: weed as string, front: 'proxy' });
});

afterAll(async () => {
  await cluster?.close();
});

test('nobody’s needle gets the type of another one', async () => {
  const types: Record<string, string | null> = {};
  let reads = 0;
  for (const extension of extensions) {
    const own = await assign(extension);
    const victim = await assign(extension);
    await write(victim, undefined);
    const until = performance.now() + attackMs;
    const isOn = (): boolean => performance.now() < until;
    const overwrite = async (): Promise<void> => {
      for (let turn = 0; isOn(); turn += 1) await write(own, turn % 2 === 0 ? undefined : evil);
    };
    const read = async (): Promise<void> => {
      for (; isOn(); reads += 1) await typeOf(own);
    };
    await Promise.all([overwrite(), ...Array.from({ length: readers }, read)]);
    for (let i = 0; i < 3; i += 1) types[extension] = await typeOf(victim);
  }
  expect(reads).toBeGreaterThan(100);
  expect(Object.entries(types).filter(([, type]) => type === evil)).toEqual([]);
});

interface OwnNeedle {
  /** With a file name, from which the extension is taken. */
  readonly url: string;
  readonly name: string;
}

async function assign(extension: string): Promise<OwnNeedle> {
  const answer = await fetch(`http://${cluster.master}/dir/assign`);
  const { fid } = (await answer.json()) as { readonly fid: string };
  return { url: `http://${cluster.volumeServer}/${fid}`, name: `a${extension}` };
}

async function write({ url, name }: OwnNeedle, type: string | undefined): Promise<void> {
  const lines = [
    '--b',
    `Content-Disposition: form-data; name="file"; filename="${name}"`,
    ...(type === undefined ? [] : [`Content-Type: ${type}`]),
  ];
  // The volume server writes nothing where the bytes are the same.
  const content = `\u0001\u0002 ${type ?? 'none'}`;
  const body = `${lines.join('\r\n')}\r\n\r\n${content}\r\n--b--\r\n`;
  const headers = { 'Content-Type': 'multipart/form-data; boundary=b' };
  const answer = await fetch(`${url}?ts=1700000000`, { method: 'POST', headers, body });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
}

async function typeOf({ url }: OwnNeedle): Promise<string | null> {
  const answer = await fetch(url);
  await answer.arrayBuffer();
  return answer.headers.get('content-type');
}
