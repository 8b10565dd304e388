/**
 * Go's http.DetectContentType (specification 5.3): the type that net/http gives to an answer without one, from the
 * first bytes of its body.
 */

const sniffedBytes = 512;

/** Looks at the first 512 bytes of `body`; always finds a type. */
export function sniffContentType(body: Buffer): string {
  const data = body.subarray(0, sniffedBytes);
  const text = data.toString('latin1');
  const start = text.search(/[^\t\n\f\r ]/);
  const trimmed = start < 0 ? '' : text.slice(start);
  if (htmlTag.test(trimmed)) return 'text/html; charset=utf-8';
  if (trimmed.startsWith('<?xml')) return 'text/xml; charset=utf-8';
  const known = text === '' ? undefined : knownType(text, data);
  if (known !== undefined) return known;
  return data.some(isBinaryByte) ? 'application/octet-stream' : 'text/plain; charset=utf-8';
}

const htmlTag =
  /^<(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P|!--)[ >]/i;

/** Control bytes that no text has: not tab, line feed, form feed, carriage return, escape. */
function isBinaryByte(byte: number): boolean {
  return byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d && byte !== 0x0b) && byte !== 0x1b;
}

interface Signature {
  /** Where these bytes are, from the start of the data. */
  readonly parts: readonly (readonly [offset: number, bytes: string])[];
  readonly type: string;
  readonly bytesMin: number;
}

function signature(bytes: string, type: string, more?: readonly [number, string]): Signature {
  const parts = more === undefined ? [[0, bytes] as const] : [[0, bytes] as const, more];
  const last = parts[parts.length - 1] as readonly [number, string];
  return { parts, type, bytesMin: last[0] + last[1].length };
}

/** The byte order marks need a fourth byte, whatever it is. */
function byteOrderMark(bytes: string, type: string): Signature {
  return { parts: [[0, bytes]], type, bytesMin: 4 };
}

/** In Go's order; MP4 has its place after `beforeMp4`. */
const beforeMp4: readonly Signature[] = [
  signature('%PDF-', 'application/pdf'),
  signature('%!PS-Adobe-', 'application/postscript'),
  byteOrderMark('\xfe\xff', 'text/plain; charset=utf-16be'),
  byteOrderMark('\xff\xfe', 'text/plain; charset=utf-16le'),
  byteOrderMark('\xef\xbb\xbf', 'text/plain; charset=utf-8'),
  signature('\x00\x00\x01\x00', 'image/x-icon'),
  signature('\x00\x00\x02\x00', 'image/x-icon'),
  signature('BM', 'image/bmp'),
  signature('GIF87a', 'image/gif'),
  signature('GIF89a', 'image/gif'),
  signature('RIFF', 'image/webp', [8, 'WEBPVP']),
  signature('\x89PNG\r\n\x1a\n', 'image/png'),
  signature('\xff\xd8\xff', 'image/jpeg'),
  signature('FORM', 'audio/aiff', [8, 'AIFF']),
  signature('ID3', 'audio/mpeg'),
  signature('OggS\x00', 'application/ogg'),
  signature('MThd\x00\x00\x00\x06', 'audio/midi'),
  signature('RIFF', 'video/avi', [8, 'AVI ']),
  signature('RIFF', 'audio/wave', [8, 'WAVE']),
];

const afterMp4: readonly Signature[] = [
  signature('\x1a\x45\xdf\xa3', 'video/webm'),
  { parts: [[34, 'LP']], type: 'application/vnd.ms-fontobject', bytesMin: 36 },
  signature('\x00\x01\x00\x00', 'font/ttf'),
  signature('OTTO', 'font/otf'),
  signature('ttcf', 'font/collection'),
  signature('wOFF', 'font/woff'),
  signature('wOF2', 'font/woff2'),
  signature('\x1f\x8b\x08', 'application/x-gzip'),
  signature('PK\x03\x04', 'application/zip'),
  signature('Rar!\x1a\x07\x00', 'application/x-rar-compressed'),
  signature('Rar!\x1a\x07\x01\x00', 'application/x-rar-compressed'),
  signature('\x00asm', 'application/wasm'),
];

function knownType(text: string, data: Buffer): string | undefined {
  const before = beforeMp4.find((known) => matches(known, text));
  if (before !== undefined) return before.type;
  if (isMp4(text, data)) return 'video/mp4';
  return afterMp4.find((known) => matches(known, text))?.type;
}

function matches(known: Signature, text: string): boolean {
  if (text.length < known.bytesMin) return false;
  return known.parts.every(([offset, bytes]) => text.startsWith(bytes, offset));
}

/** The first box is `ftyp`, wholly within the sniffed bytes, with a brand that begins with mp4; bytes 12 to 15 are its version. */
function isMp4(text: string, data: Buffer): boolean {
  if (data.length < 12 || !text.startsWith('ftyp', 4)) return false;
  const boxBytes = data.readUInt32BE(0);
  if (boxBytes > data.length || boxBytes % 4 !== 0) return false;
  for (let at = 8; at < boxBytes; at += 4) {
    if (at !== 12 && text.startsWith('mp4', at)) return true;
  }
  return false;
}
