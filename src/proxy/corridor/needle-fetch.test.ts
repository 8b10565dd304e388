import { describe, expect, it } from 'vitest';
import { bigNeedle, bigNeedleBytes, ScriptedFetcher } from '../../../test/unit/scripted-fetcher.ts';
import type { ReadRequest } from '../../needle/request/read-request.ts';
import { AnswerData, fetchRanges, firstCommand } from './needle-fetch.ts';

const limits = { needleBytesMax: 1 << 26, timeoutMs: 2000 };

const request: ReadRequest = {
  method: 'GET',
  volumeId: 3,
  needleId: 7n,
  cookie: 9,
  claimedFid: '3,0700000009',
  isPlain: true,
  urlFilename: '',
  urlExt: '',
  acceptsGzip: false,
  range: undefined,
  ifModifiedSince: undefined,
  ifNoneMatch: undefined,
  hasOrigin: false,
  asAttachment: false,
  wantsImageOperation: false,
  manifestAsIs: false,
  overrides: [],
  token: undefined,
  close: false,
  http10: false,
};

const needle = bigNeedle;

describe('the first command', () => {
  it('asks for the whole needle when there is no range', () => {
    const command = firstCommand(request, limits);
    expect(command).toMatchObject({
      offset: 0,
      length: 0,
      wholeBytesMax: limits.needleBytesMax,
      metadataOnly: false,
    });
  });

  it('asks for the slice of a simple range', () => {
    const command = firstCommand({ ...request, range: 'bytes=100-199' }, limits);
    expect(command).toMatchObject({ offset: 100, length: 100, wholeBytesMax: 1024 * 1024 });
  });

  it.each(['bytes=-5', 'bytes=5-', 'bytes=0-1,5-6', 'bytes=9-5', 'bytes=0-99999999999999999999'])(
    'asks for no slice when the range %s does not name one',
    (range) => {
      expect(firstCommand({ ...request, range }, limits)).toMatchObject({ length: 0 });
    },
  );

  it.each([
    { method: 'HEAD' },
    { ifNoneMatch: '"00000000"' },
    { ifModifiedSince: 'Mon, 02 Jan 2006 15:04:05 GMT' },
  ] as const)('asks for metadata alone with %o', (change) => {
    expect(firstCommand({ ...request, ...change }, limits).metadataOnly).toBe(true);
  });
});

describe('fetchRanges', () => {
  it('reads nothing that is here already', async () => {
    const fetcher = new ScriptedFetcher();
    const data = new AnswerData();
    const ranges = [{ start: 10, end: 20 }];
    await fetchRanges(fetcher, needle, ranges, data, limits);
    const bytes = await fetchRanges(fetcher, needle, [{ start: 12, end: 15 }], data, limits);
    expect(bytes).toEqual({ kind: 'slices', slices: [Buffer.from([12, 13, 14])] });
    expect(fetcher.commands).toHaveLength(1);
    data.release();
    data.release();
    expect(fetcher.leasesOut).toBe(0);
  });

  it('serves an empty range without a read', async () => {
    const fetcher = new ScriptedFetcher();
    const empty = [{ start: bigNeedleBytes, end: bigNeedleBytes }];
    const bytes = await fetchRanges(fetcher, needle, empty, new AnswerData(), limits);
    expect(bytes).toEqual({ kind: 'slices', slices: [Buffer.alloc(0)] });
    expect(fetcher.commands).toHaveLength(0);
  });

  it('begins again when the volume is another generation', async () => {
    const fetcher = new ScriptedFetcher();
    fetcher.needle = { ...needle, epoch: 12n };
    const bytes = await fetchRanges(
      fetcher,
      needle,
      [{ start: 0, end: 4 }],
      new AnswerData(),
      limits,
    );
    expect(bytes.kind).toBe('changed');
  });

  it.each([
    { verdict: 'changed', changedIds: [8n], expected: 'slices' },
    { verdict: 'changed', changedIds: [8n, 7n], expected: 'changed' },
    { verdict: 'flush', changedIds: [], expected: 'changed' },
    { verdict: 'gone', changedIds: [], expected: 'changed' },
  ] as const)('when the volume grew meanwhile: $verdict $changedIds → $expected', async (row) => {
    const fetcher = new ScriptedFetcher();
    fetcher.needle = { ...needle, position: 176n };
    const verdict = { ...row, volumeId: 3, epoch: 11n, position: 176n, leased: false };
    fetcher.verdict = { kind: 'verdicts', verdicts: [verdict] };
    const bytes = await fetchRanges(
      fetcher,
      needle,
      [{ start: 0, end: 4 }],
      new AnswerData(),
      limits,
    );
    expect(bytes.kind).toBe(row.expected);
  });

  it('begins again when the validation itself fails', async () => {
    const fetcher = new ScriptedFetcher();
    fetcher.needle = { ...needle, position: 176n };
    const ranges = [{ start: 0, end: 4 }];
    const bytes = await fetchRanges(fetcher, needle, ranges, new AnswerData(), limits);
    expect(bytes.kind).toBe('changed');
  });
});
