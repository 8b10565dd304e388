/** Guesses what was meant by a refused value: the end of its message, '' where nothing can be guessed. */
import { isIP } from 'node:net';
import { parseHostPort, parseHttpOrigin } from './address.ts';
import { parseDurationMs, parseSize } from './units.ts';

export type Hint = (raw: unknown) => string;

export const sizeHint: Hint = (raw) => {
  if (typeof raw !== 'string') return '';
  const plain = raw.replace(/[\s_,]/g, '');
  const candidates = [plain, plain.toLowerCase(), plain.toUpperCase()].flatMap(sizeSpellings);
  const meant = candidates.find((text) => text !== raw && parseSize(text) !== undefined);
  return meant === undefined ? wholeHint(raw) : `: write "${meant}"`;
};

/** `4k` and `4kib` are KiB here, as most programs read them. */
function sizeSpellings(text: string): string[] {
  const parts = /^(\d+)([kmgt])(i?b?)$/i.exec(text);
  if (parts === null) return [text];
  const [, count, letter = '', rest = ''] = parts;
  const isDecimal = rest.toLowerCase() === 'b';
  return [`${count}${letter.toUpperCase()}${isDecimal ? 'B' : 'iB'}`];
}

export const durationHint: Hint = (raw) => {
  if (typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= 0) {
    return `: a time needs its unit, such as "${raw}s" or "${raw}ms"`;
  }
  if (typeof raw !== 'string') return '';
  if (/^\d+$/.test(raw)) return `: a time needs its unit, such as "${raw}s" or "${raw}ms"`;
  const parts = /^(\d+)\s*([a-zµ]+)\.?$/iu.exec(raw.trim());
  if (parts === null) return wholeHint(raw);
  const [, count, written = ''] = parts;
  const unit = timeUnits.find(({ names }) => names.includes(written.toLowerCase()));
  if (unit === undefined) return '';
  const meant = `${Number(count) * unit.times}${unit.name}`;
  return parseDurationMs(meant) === undefined ? '' : `: write "${meant}"`;
};

const timeUnits = [
  { name: 'us', times: 1, names: ['us', 'µs', 'usec', 'usecs', 'microseconds'] },
  { name: 'ms', times: 1, names: ['ms', 'msec', 'msecs', 'millisecond', 'milliseconds'] },
  { name: 's', times: 1, names: ['s', 'sec', 'secs', 'second', 'seconds'] },
  { name: 'm', times: 1, names: ['m', 'min', 'mins', 'minute', 'minutes'] },
  { name: 'h', times: 1, names: ['h', 'hr', 'hour', 'hours'] },
  { name: 'h', times: 24, names: ['d', 'day', 'days'] },
];

function wholeHint(raw: string): string {
  return /^\d+[.,]\d+\s*[a-z]+$/i.test(raw) ? ': whole numbers only, with a smaller unit' : '';
}

export const addressHint: Hint = (raw) => {
  if (typeof raw === 'number') return `: write "127.0.0.1:${raw}"`;
  if (typeof raw !== 'string') return '';
  const text = raw
    .trim()
    .replace(/^(tcp|http|https|ucx):\/\//i, '')
    .replace(/\/+$/, '');
  if (parseHostPort(text) !== undefined && text !== raw) return `: write "${text}"`;
  if (/^:\d{1,5}$/.test(text)) return `: write "0.0.0.0${text}" for every address of this machine`;
  if (/^\d{1,5}$/.test(text))
    return `: write "127.0.0.1:${text}", or "0.0.0.0:${text}" for every address`;
  const port = /^(.+):(\d+)$/.exec(text);
  if (port !== null && Number(port[2]) > 65_535) return ': a port is 65535 at most';
  if (port !== null && isIP(port[1] ?? '') === 6) {
    return `: an IPv6 address stands in brackets, "[${port[1]}]:${port[2]}"`;
  }
  if (isIP(text) === 6) return `: the port is missing, "[${text}]:PORT"`;
  if (port === null && text !== '' && !/[\s/]/.test(text)) {
    return `: the port is missing, "${text}:PORT"`;
  }
  return '';
};

export const listenHint: Hint = (raw) => {
  if (typeof raw === 'string' && /^(unix:|[./])/.test(raw)) {
    const path = raw.replace(/^unix:(\/\/(?=\/))?/, '');
    if (!path.startsWith('/')) return ': the path of a socket is absolute, "unix:/run/…"';
    if (raw !== `unix:${path}`) return `: write "unix:${path}"`;
    return ': the path of a socket has 107 bytes at most';
  }
  return addressHint(raw);
};

export const hostHint: Hint = (raw) => {
  if (typeof raw !== 'string') return '';
  const address = parseHostPort(raw);
  if (address !== undefined) {
    return `: the port has a key of its own, port = ${address.port}; write "${address.host}" here`;
  }
  const bare = /^\[(.+)\]$/.exec(raw)?.[1];
  return bare !== undefined && isIP(bare) === 6 ? `: write "${bare}", without brackets` : '';
};

export const urlHint: Hint = (raw) => {
  if (typeof raw !== 'string') return '';
  if (/^https:/i.test(raw)) {
    return ': https is not supported between proxy and volume server; use http, or a tunnel';
  }
  const withScheme = /^[a-z]+:\/\//i.test(raw) ? raw : `http://${raw.replace(/^http:\/?/i, '')}`;
  const origin = /^(http:\/\/[^/?#@\s]+)/i.exec(withScheme.trim())?.[1]?.replace(/^http/i, 'http');
  if (origin === undefined || parseHttpOrigin(origin) === undefined || origin === raw) return '';
  return `: write "${origin}"`;
};

export const flagHint: Hint = (raw) => {
  if (raw === 'true' || raw === 'false') return `: write ${raw}, without quotes`;
  if (raw === 1 || raw === 'yes' || raw === 'on') return ': write true';
  if (raw === 0 || raw === 'no' || raw === 'off') return ': write false';
  return '';
};

export const integerHint: Hint = (raw) =>
  typeof raw === 'string' && /^\d+$/.test(raw) ? `: write ${Number(raw)}, without quotes` : '';

export const listHint: Hint = (raw) => {
  if (typeof raw !== 'string' || raw === '') return '';
  return `: write ${JSON.stringify(raw.split(',').map((item) => item.trim()))}`;
};

export function choiceHint(choices: readonly string[]): Hint {
  return (raw) => {
    if (typeof raw !== 'string') return '';
    const meant = choices.find((name) => name === raw.trim().toLowerCase());
    return meant === undefined ? '' : `: write "${meant}"`;
  };
}
