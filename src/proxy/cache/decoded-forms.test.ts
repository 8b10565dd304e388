import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeGzip, toldBytes } from '../../needle/answer/decode.ts';
import { DecodedForms, type Decoding, type Made } from './decoded-forms.ts';
import { DecodingRoom } from './decoding-room.ts';

const mebibyte = 1_048_576;
const decodingOf = (key: string, stored: Buffer, maxBytes: number): Decoding => ({
  key,
  toldBytes: toldBytes(stored),
  maxBytes,
  decode: (bytes) => decodeGzip(stored, bytes),
});
const storedOf = (mebibytes: number): Buffer => gzipSync(Buffer.alloc(mebibytes * mebibyte, 'a'));

function made(of: Made): Extract<Made, { kind: 'form' }>['form'] {
  if (of.kind !== 'form') throw new Error(of.kind);
  return of.form;
}

describe('decoded forms', () => {
  it('are made once for all who ask meanwhile, and their memory is free after the last of them', async () => {
    const room = new DecodingRoom(5 * mebibyte);
    const forms = new DecodedForms(0, room);
    const decoding = decodingOf('a', storedOf(4), 8 * mebibyte);
    const all = await Promise.all(Array.from({ length: 60 }, () => forms.make(decoding)));
    const [first] = all;
    const form = made(first as Made);
    expect(all.every((each) => made(each) === form)).toBe(true);
    const { bytes } = form;
    expect(bytes.length).toBe(4 * mebibyte);
    await turn();
    expect(room.bytes).toBe(bytes.buffer.byteLength);
    for (const each of all) made(each).endHold();
    expect(room.bytes).toBe(0);
    expect(bytes.length).toBe(0);
  });

  it('are not begun where there is no room for them', async () => {
    const room = new DecodingRoom(9 * mebibyte);
    const forms = new DecodedForms(0, room);
    const stored = storedOf(4);
    const ask = (key: string): Promise<Made> => forms.make(decodingOf(key, stored, 8 * mebibyte));
    const all = await Promise.all(['a', 'b', 'c', 'd'].map(ask));
    expect(all.map(({ kind }) => kind)).toEqual(['form', 'form', 'no-room', 'no-room']);
    expect(room.refusals).toBe(2);
    expect(room.claimedBytes).toBe(0);
    // Their readers have them still.
    await turn();
    expect((await ask('e')).kind).toBe('no-room');
    made(all[0] as Made).endHold();
    expect((await ask('f')).kind).toBe('form');
  });

  it('take no more than was claimed, whatever the end of the stored bytes says', async () => {
    const room = new DecodingRoom(8 * mebibyte);
    const forms = new DecodedForms(0, room);
    for (const told of [0, 1, mebibyte, 4 * mebibyte - 1]) {
      const stored = storedOf(4);
      stored.writeUInt32LE(told, stored.length - 4);
      const result = await forms.make(decodingOf(`${told}`, stored, 4 * mebibyte));
      expect(result).toEqual({ kind: 'corrupt' });
    }
    const stored = storedOf(1);
    stored.writeUInt32LE(0xffff_ffff, stored.length - 4);
    expect(await forms.make(decodingOf('x', stored, 4 * mebibyte))).toEqual({
      kind: 'too-large',
    });
    expect(room.bytes).toBe(0);
  });

  it('of several members are made, too', async () => {
    const room = new DecodingRoom(8 * mebibyte);
    const forms = new DecodedForms(0, room);
    const stored = Buffer.concat([storedOf(2), gzipSync('end')]);
    const result = await forms.make(decodingOf('a', stored, 4 * mebibyte));
    expect(made(result).bytes.length).toBe(2 * mebibyte + 3);
    expect(room.claimedBytes).toBe(0);
  });
});
