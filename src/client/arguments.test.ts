import { describe, expect, test } from 'vitest';
import { checkRead, type ReadNeedleOptions } from './arguments.ts';
import { checkConnect } from './connect-options.ts';

const needle = { volumeId: 3, needleId: 1n, cookie: 1 };

const readOptions = 'volumeId, needleId, cookie, fid, offset, size, decode, timeoutMs, signal';
const commonOptions =
  'memoryBytes, hugepages, readsMax, decodedBytesMax, timeoutMs, connectTimeoutMs, signal';
const allOptions = `${commonOptions}, targets, secret, secretFile, deviceName, tls, transport, tlsOff, ucxTcpTrustedNetwork, spinUs, dirs, idxDirs, config`;

/** Reads as a program without types would call it. */
function read(options: unknown): unknown {
  return checkRead(options as ReadNeedleOptions, 1_000);
}

function connect(options: unknown): unknown {
  return checkConnect(options as Parameters<typeof checkConnect>[0]);
}

describe('readNeedle', () => {
  test('fills in what is left out', () => {
    expect(read(needle)).toEqual({
      ...needle,
      offset: 0,
      size: Number.POSITIVE_INFINITY,
      decode: false,
      timeoutMs: 1_000,
      signal: undefined,
    });
    expect(read({ fid: '3,01637037d6' })).toMatchObject({
      volumeId: 3,
      needleId: 1n,
      cookie: 0x637037d6,
    });
    expect(read({ ...needle, needleId: 5 })).toMatchObject({ needleId: 5n });
  });

  test.each([
    [undefined, 'readNeedle()’s argument must be an object, not undefined'],
    [{ ...needle, volumeId: '3' }, 'volumeId must be a number, not "3"'],
    [{ ...needle, needleId: '1' }, 'needleId must be a bigint, not "1"'],
    [{ volumeId: 3, needleId: 1n }, 'cookie must be a number, not undefined'],
    [{ fid: 'nothing' }, 'fid must be a fid such as "3,01637037d6", not "nothing"'],
    [{ fid: 3 }, 'fid must be a fid such as "3,01637037d6", not 3'],
    [{ fid: '3,01637037d6', cookie: 1 }, 'give fid, or volumeId, needleId and cookie: not both'],
    [{ ...needle, lenght: 1 }, `readNeedle() has no option "lenght" here; it takes ${readOptions}`],
    [{ ...needle, decode: 1 }, 'decode must be true or false, not 1'],
    [{ ...needle, signal: {} }, 'signal must be an AbortSignal, not [object Object]'],
    [{ ...needle, timeoutMs: '2s' }, 'timeoutMs must be a number of milliseconds, not "2s"'],
  ])('%o is a TypeError: %s', (options, message) => {
    expect(() => read(options)).toThrow(new TypeError(message));
  });

  test.each([
    { volumeId: -1 },
    { volumeId: 2 ** 32 },
    { volumeId: 1.5 },
    { cookie: 2 ** 32 },
    { needleId: -1n },
    { needleId: 2n ** 64n },
    { needleId: 2 ** 53 },
    { offset: -1 },
    { offset: 0.5 },
    { size: -1 },
    { size: Number.NaN },
    { size: Number.POSITIVE_INFINITY },
    { timeoutMs: 0 },
    { timeoutMs: Number.NaN },
    { timeoutMs: 86_400_001 },
  ])('%o is a RangeError', (change) => {
    expect(() => read({ ...needle, ...change })).toThrow(RangeError);
  });
});

describe('connect', () => {
  test('fills in what is left out', () => {
    expect(connect({ targets: ['a:1', '[::1]:2'] })).toMatchObject({
      native: {
        kind: 'ucx',
        arenaBytes: 2 ** 28,
        hugepages: 'try',
        deviceName: 'auto',
        tls: 'auto',
      },
      targets: [
        { host: 'a', port: 1, secret: '', connectTimeoutMs: 5_000 },
        { host: '::1', port: 2 },
      ],
      timeoutMs: 10_000,
      decodedBytesMax: 2 ** 26,
    });
    expect(connect({ dirs: ['/data'] })).toMatchObject({
      native: { kind: 'inproc', dirs: ['/data'], unconfirmed: true },
      targets: [],
    });
  });

  test.each([
    [{}, 'connect() takes one of targets, dirs and config; given: none'],
    [
      { targets: ['a:1'], dirs: ['/'] },
      'connect() takes one of targets, dirs and config; given: targets and dirs',
    ],
    [{ target: 'a:1' }, `connect() has no option "target" here; it takes ${allOptions}`],
    [{ targets: 'a:1' }, 'targets must be a list of strings, not empty, not "a:1"'],
    [{ targets: [] }, 'targets must be a list of strings, not empty, not '],
    [{ targets: ['a'] }, 'targets must be a list of host:port, such as "10.0.0.1:18515", not "a"'],
    [
      { targets: ['a:0'] },
      'targets must be a list of host:port, such as "10.0.0.1:18515", not "a:0"',
    ],
    [{ targets: ['a:1'], secret: 's', secretFile: 'f' }, 'give secret or secretFile, not both'],
    [
      { targets: ['a:1'], hugepages: 'yes' },
      'hugepages must be "try", "require" or "off", not "yes"',
    ],
    [
      { dirs: ['/'], secret: 's' },
      `connect() has no option "secret" here; it takes ${commonOptions}, dirs, idxDirs`,
    ],
  ])('%o is a TypeError: %s', (options, message) => {
    expect(() => connect(options)).toThrow(new TypeError(message));
  });

  test.each([
    { memoryBytes: 2 ** 21 - 1 },
    { memoryBytes: 1e300 },
    { readsMax: 0 },
    { readsMax: 65_536 },
    { decodedBytesMax: 0 },
    { timeoutMs: -1 },
    { connectTimeoutMs: 0 },
    { spinUs: -1 },
  ])('%o is a RangeError', (change) => {
    expect(() => connect({ targets: ['a:1'], ...change })).toThrow(RangeError);
  });
});
