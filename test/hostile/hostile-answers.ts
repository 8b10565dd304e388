/** Answers that no volume server should send, to a request that nothing is wrong with. RFC 9112 sections 4, 6 and 7. */

export interface HostileAnswer {
  readonly name: string;
  /** latin1; each in a packet of its own. */
  readonly packets: readonly string[];
  readonly end: 'stays' | 'closes' | 'resets';
  /** The answer never ends, and the client waits. */
  readonly isPending: boolean;
  /** What belongs to nobody must come with the answer: later, nobody can tell it from the next one. */
  readonly isStray: boolean;
}

type Ending = HostileAnswer['end'] | 'pends';
type Row = readonly [name: string, packets: string | readonly string[], end?: Ending];

/** Of answers that nobody asked for. */
export const strayMark = '[stray]';
const stray = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[stray]';
const own = '[own]';
const plain = `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${own}`;
const chunks = `5\r\n${own}\r\n0\r\n\r\n`;
const ok = (...lines: readonly string[]): string =>
  ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n');
const coded = (body: string): string => ok('Transfer-Encoding: chunked') + body;

const good: readonly Row[] = [
  ['nothing wrong', plain],
  ['a head and a body apart', [ok('Content-Length: 5'), own]],
  ['an interim answer before it', `HTTP/1.1 100 Continue\r\n\r\n${plain}`],
  ['hints before it', [`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n`, plain]],
  ['a hundred interim answers before it', `${'HTTP/1.1 102 P\r\n\r\n'.repeat(100)}${plain}`],
  ['chunks', coded(chunks)],
  ['an extension', coded(`5;x=y\r\n${own}\r\n0\r\n\r\n`)],
  ['trailers', coded(`5\r\n${own}\r\n0\r\nX: y\r\n\r\n`)],
  ['a framing name in a trailer', coded(`5\r\n${own}\r\n0\r\nContent-Length: 9\r\n\r\n`)],
  ['Connection: close, and closed', ok('Connection: close', 'Content-Length: 5') + own, 'closes'],
  ['Connection: close, and kept', ok('Connection: close', 'Content-Length: 5') + own],
  ['Connection naming its framing', ok('Connection: Content-Length', 'Content-Length: 5') + own],
  ['no framing, and closed', ok() + own, 'closes'],
  ['no framing, and reset', ok() + own, 'resets'],
  ['no framing, and kept', ok() + own, 'pends'],
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['a length without a body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
  ['an early refusal', 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\n[own]'],
  ['an early refusal that closes', 'HTTP/1.1 401 U\r\nContent-Length: 5\r\n\r\n[own]', 'closes'],
];

const tooMuch: readonly Row[] = [
  ['another answer behind it', plain + stray],
  ['two answers behind it', plain + stray + stray],
  ['the beginning of an answer behind it', `${plain}HTTP/1.1 200 OK\r\nCont`],
  ['an interim answer behind it', `${plain}HTTP/1.1 100 Continue\r\n\r\n`],
  ['a byte behind it', `${plain}x`],
  ['a byte behind it, and another answer later', [`${plain}x`, stray]],
  ['a line end behind it', `${plain}\r\n`],
  ['a NUL behind it', `${plain}\0`],
  ['another answer behind chunks', coded(chunks) + stray],
  ['a line end behind chunks', `${coded(chunks)}\r\n`],
  ['another answer behind no content', `HTTP/1.1 204 No Content\r\n\r\n${stray}`],
  ['a body where there is none', 'HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n[stray]'],
  ['a body of what is not modified', 'HTTP/1.1 304 N\r\nContent-Length: 7\r\n\r\n[stray]'],
  [
    'chunks of what is not modified',
    `HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  ],
  ['another answer behind a close', ok('Connection: close', 'Content-Length: 5') + own + stray],
];

const tooLittle: readonly Row[] = [
  ['nothing, and closed', '', 'closes'],
  ['nothing, and reset', '', 'resets'],
  ['nothing at all', '', 'pends'],
  ['half a head, and closed', 'HTTP/1.1 200 OK\r\nContent-', 'closes'],
  ['half a head, and reset', 'HTTP/1.1 200 OK\r\nContent-', 'resets'],
  ['half a head', 'HTTP/1.1 200 OK\r\nContent-', 'pends'],
  ['half a version, and closed', 'HTTP/', 'closes'],
  ['an interim answer, and closed', 'HTTP/1.1 100 Continue\r\n\r\n', 'closes'],
  ['an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n', 'pends'],
  ['half a body, and closed', `${ok('Content-Length: 9')}half`, 'closes'],
  ['half a body, and reset', `${ok('Content-Length: 9')}half`, 'resets'],
  ['half a body', `${ok('Content-Length: 9')}half`, 'pends'],
  ['a head alone, and closed', ok('Content-Length: 9'), 'closes'],
  ['half a size, and closed', coded('1'), 'closes'],
  ['half a chunk, and closed', coded('9\r\nhalf'), 'closes'],
  ['half a chunk, and reset', coded('9\r\nhalf'), 'resets'],
  ['half a line end, and closed', coded('4\r\nhalf\r'), 'closes'],
  ['no last chunk, and closed', coded('4\r\nhalf\r\n'), 'closes'],
  ['a last chunk without its end, and closed', coded('4\r\nhalf\r\n0\r\n'), 'closes'],
  ['half a trailer, and closed', coded('4\r\nhalf\r\n0\r\nX: '), 'closes'],
];

const framings: readonly (readonly [name: string, ...lines: string[]])[] = [
  ['the length, twice', 'Content-Length: 5', 'Content-Length: 5'],
  ['two lengths', 'Content-Length: 5', 'Content-Length: 12'],
  ['two lengths, the right one last', 'Content-Length: 12', 'Content-Length: 5'],
  ['a list of the length', 'Content-Length: 5, 5'],
  ['a list of lengths', 'Content-Length: 5, 12'],
  ['a negative length', 'Content-Length: -5'],
  ['a length behind a plus', 'Content-Length: +5'],
  ['a hexadecimal length', 'Content-Length: 0x5'],
  ['an empty length', 'Content-Length:'],
  ['a length with zeros', 'Content-Length: 005'],
  ['a length of 2^64 + 5', 'Content-Length: 18446744073709551621'],
  ['a blank before the colon', 'Content-Length : 5'],
  ['a folded length', 'Content-Length:', ' 5'],
  ['a tab behind the length', 'Content-Length: 5\t'],
  ['a vertical tab before the length', 'Content-Length:\x0b5'],
  ['a NUL behind the length', 'Content-Length: 5\0'],
  ['a length behind a bare line feed', 'X: y\nContent-Length: 5'],
  ['a length behind a bare carriage return', 'X: y\rContent-Length: 5'],
  ['identity', 'Transfer-Encoding: identity', 'Content-Length: 5'],
];

const codings: readonly (readonly [name: string, ...lines: string[]])[] = [
  ['a length before chunks', 'Content-Length: 5', 'Transfer-Encoding: chunked'],
  ['chunks before a length', 'Transfer-Encoding: chunked', 'Content-Length: 5'],
  ['chunks before a bad length', 'Transfer-Encoding: chunked', 'Content-Length: x'],
  ['another word', 'Transfer-Encoding: xchunked'],
  ['gzip', 'Transfer-Encoding: gzip'],
  ['gzip, chunked', 'Transfer-Encoding: gzip, chunked'],
  ['chunked, identity', 'Transfer-Encoding: chunked, identity'],
  ['chunked, chunked', 'Transfer-Encoding: chunked, chunked'],
  ['chunked twice', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
  ['nothing for a coding', 'Transfer-Encoding:'],
  ['a blank before the colon of chunks', 'Transfer-Encoding : chunked'],
  ['a tab behind chunks', 'Transfer-Encoding: chunked\t'],
  ['tabs around chunks', 'Transfer-Encoding:\tchunked\t'],
  ['a folded coding', 'Transfer-Encoding:', ' chunked'],
  ['chunks in odd casing', 'tRANSFER-eNCODING: CHUNKED'],
];

const badChunks: readonly Row[] = [
  'nonsense\r\n',
  '\r\n',
  `-5\r\n${own}\r\n0\r\n\r\n`,
  `+5\r\n${own}\r\n0\r\n\r\n`,
  `0x5\r\n${own}\r\n0\r\n\r\n`,
  ` 5\r\n${own}\r\n0\r\n\r\n`,
  `5 \r\n${own}\r\n0\r\n\r\n`,
  `5\n${own}\n0\n\n`,
  `5\r${own}\r\n0\r\n\r\n`,
  `5\r\n${own}0\r\n\r\n`,
  `5\r\n${own}XX0\r\n\r\n`,
  `4\r\n${own}\r\n0\r\n\r\n`,
  `6\r\n${own}\r\n0\r\n\r\n`,
  `5;\0\r\n${own}\r\n0\r\n\r\n`,
  `10000000000000005\r\n${own}\r\n0\r\n\r\n`,
  `5\r\n${own}\r\n0\r\nX y\r\n\r\n`,
  `5\r\n${own}\r\n0\r\nX: y\r\n z\r\n\r\n`,
  `5\r\n${own}\r\n0\r\n\n`,
].map((body) => [`chunks ${JSON.stringify(body)}`, coded(body), 'closes']);

const heads: readonly Row[] = [
  ['HTTP/1.0', `HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n${own}`, 'closes'],
  ['HTTP/1.0 without a length', `HTTP/1.0 200 OK\r\n\r\n${own}`, 'closes'],
  ['HTTP/1.0 that stays', plain.replace('HTTP/1.1', 'HTTP/1.0')],
  ['HTTP/1.0 that says so', plain.replace('1.1 200 OK', '1.0 200 OK\r\nConnection: keep-alive')],
  ['HTTP/1.0 in chunks', coded(chunks).replace('HTTP/1.1', 'HTTP/1.0')],
  ...['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1', 'http/1.1', 'ICY', ' HTTP/1.1'].map(
    (version): Row => [JSON.stringify(version), plain.replace('HTTP/1.1', version)],
  ),
  ...['20', '2000', '000', '099', '600', '999', '2x0', '-20', ''].map(
    (status): Row => [`the status ${JSON.stringify(status)}`, plain.replace('200', status)],
  ),
  [
    '101',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n[own]',
    'closes',
  ],
  ['no reason', plain.replace(' OK', ' ')],
  ['no blank behind the status', plain.replace(' OK', '')],
  ['an 8-bit reason', plain.replace('OK', '\xe9')],
  ['line feeds alone', plain.replaceAll('\r', '')],
  ['a line feed behind the first line', plain.replace('\r', '')],
  ['a line feed at the end of the head', plain.replace('\r\n\r\n', '\r\n\n')],
  ['a NUL in a value', `${ok('X: \0', 'Content-Length: 5')}${own}`],
  ['a control byte in a value', `${ok('X: \x01', 'Content-Length: 5')}${own}`],
  ['8-bit bytes in a value', `${ok('X: \x80\xff', 'Content-Length: 5')}${own}`],
  ['a folded value', `${ok('X: y', ' z', 'Content-Length: 5')}${own}`],
  ['an empty name', `${ok(': y', 'Content-Length: 5')}${own}`],
  ['no colon', `${ok('broken', 'Content-Length: 5')}${own}`],
  ['a long value', `${ok(`X: ${'y'.repeat(200_000)}`, 'Content-Length: 5')}${own}`],
  ['an endless value', `${ok(`X: ${'y'.repeat(1_200_000)}`, 'Content-Length: 5')}${own}`, 'closes'],
  [
    'thousands of headers',
    `${ok(...Array.from({ length: 5_000 }, (_, i) => `X-${i}: y`), 'Content-Length: 5')}${own}`,
  ],
  ['an empty line first', `\r\n${plain}`],
  ['noise', 'noise\r\n\r\n', 'closes'],
  ['a request', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'closes'],
];

function answerOf([name, packets, end = 'stays']: Row): HostileAnswer {
  return {
    name,
    packets: typeof packets === 'string' ? [packets] : packets,
    end: end === 'pends' ? 'stays' : end,
    isPending: end === 'pends',
    isStray: false,
  };
}

const otherAnswers: readonly HostileAnswer[] = [
  ...good,
  ...tooLittle,
  ...framings.map(([name, ...lines]): Row => [`framed by ${name}`, ok(...lines) + own, 'closes']),
  ...codings.map(([name, ...lines]): Row => [`coded by ${name}`, ok(...lines) + chunks, 'closes']),
  ...badChunks,
  ...heads,
].map(answerOf);

const strayAnswers: readonly HostileAnswer[] = tooMuch
  .map(answerOf)
  .map((answer) => ({ ...answer, isStray: true }));

export const hostileAnswers: readonly HostileAnswer[] = [...strayAnswers, ...otherAnswers];
