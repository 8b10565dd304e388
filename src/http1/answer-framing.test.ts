import { expect, it } from 'vitest';
import { answerFraming } from './answer-body.ts';

it.each([
  ['HEAD', 200, ['Content-Length', '9'], { kind: 'none' }],
  ['GET', 204, ['Content-Length', '9'], { kind: 'none' }],
  ['GET', 304, ['Transfer-Encoding', 'chunked'], { kind: 'none' }],
  ['GET', 204, ['Transfer-Encoding', 'chunked'], undefined],
  ['GET', 200, ['content-length', '9'], { kind: 'length', bytes: 9 }],
  ['GET', 200, ['Content-Length', '9', 'Content-Length', '9'], { kind: 'length', bytes: 9 }],
  ['GET', 200, ['Transfer-Encoding', 'Chunked'], { kind: 'chunked' }],
  ['GET', 200, ['Server', 'x'], { kind: 'eof' }],
  ['GET', 200, ['Content-Length', '-5'], undefined],
  ['GET', 200, ['Content-Length', '9', 'Content-Length', '8'], undefined],
  ['GET', 200, ['Transfer-Encoding', 'gzip'], undefined],
  ['GET', 200, ['Transfer-Encoding', 'chunked', 'Content-Length', '9'], undefined],
  ['GET', 200, ['Content-Length', '9', 'Transfer-Encoding', 'chunked'], undefined],
  ['GET', 200, ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'], undefined],
] as const)('%s %d %j', (method, status, rawHeaders, framing) => {
  expect(answerFraming(method, status, rawHeaders)).toEqual(framing);
});
