import { describe, expect, it } from 'vitest';
import { sniffContentType } from './sniff.ts';

const html = 'text/html; charset=utf-8';
const text = 'text/plain; charset=utf-8';
const binary = 'application/octet-stream';

describe('sniffContentType', () => {
  it.each([
    ['<!DOCTYPE HTML>', html],
    [' \t\r\n\f<HtMl ', html],
    ['<!-->', html],
    ['<br>', html],
    ['<br', text],
    ['<br/>', text],
    ['<bx>', text],
    ['  <?xml', 'text/xml; charset=utf-8'],
    ['<?XML', text],
    ['%PDF-1.7', 'application/pdf'],
    [' %PDF-1.7', text],
    ['%!PS-Adobe-', 'application/postscript'],
    ['\xfe\xff\x00\x00', 'text/plain; charset=utf-16be'],
    ['\xff\xfe\x00\x00', 'text/plain; charset=utf-16le'],
    ['\xff\xfea', text],
    ['\xef\xbb\xbf\x00', text],
    ['\x00\x00\x01\x00', 'image/x-icon'],
    ['BM', 'image/bmp'],
    ['B', text],
    ['GIF89a', 'image/gif'],
    ['RIFF\x00\x00\x00\x00WEBPVP', 'image/webp'],
    ['RIFF\x00\x00\x00\x00WEBPV', binary],
    ['\x89PNG\r\n\x1a\n', 'image/png'],
    ['\xff\xd8\xff', 'image/jpeg'],
    ['FORMabcdAIFF', 'audio/aiff'],
    ['ID3', 'audio/mpeg'],
    ['OggS\x00', 'application/ogg'],
    ['MThd\x00\x00\x00\x06', 'audio/midi'],
    ['RIFFabcdAVI ', 'video/avi'],
    ['RIFFabcdWAVE', 'audio/wave'],
    ['\x00\x00\x00\x14ftypisom\x00\x00\x00\x00mp42', 'video/mp4'],
    ['\x00\x00\x00\x10ftypisommp42', binary],
    ['\x00\x00\x00\x15ftypmp42\x00\x00\x00\x00mp42xxxxx', binary],
    ['\x00\x00\x00\x20ftypmp42', binary],
    ['\x1a\x45\xdf\xa3', 'video/webm'],
    [`${'a'.repeat(34)}LP`, 'application/vnd.ms-fontobject'],
    ['\x00\x01\x00\x00', 'font/ttf'],
    ['OTTO', 'font/otf'],
    ['ttcf', 'font/collection'],
    ['wOFF', 'font/woff'],
    ['wOF2', 'font/woff2'],
    ['\x1f\x8b\x08', 'application/x-gzip'],
    ['\x1f\x8b\x07', binary],
    ['PK\x03\x04', 'application/zip'],
    ['Rar!\x1a\x07\x00', 'application/x-rar-compressed'],
    ['Rar!\x1a\x07\x01\x00', 'application/x-rar-compressed'],
    ['\x00asm', 'application/wasm'],
    ['hello', text],
    ['\x80\xff', text],
    ['a\x1bb\x09\x0c', text],
    ['a\x0b', binary],
    ['a\x1c', binary],
    ['', text],
    [' '.repeat(600), text],
  ])('of %j is %s', (start, type) => {
    expect(sniffContentType(Buffer.from(start, 'latin1'))).toBe(type);
  });

  it('looks at 512 bytes and no more', () => {
    expect(sniffContentType(Buffer.from(`${'a'.repeat(512)}\0`))).toBe(text);
    expect(sniffContentType(Buffer.from(`${'a'.repeat(511)}\0`))).toBe(binary);
    expect(sniffContentType(Buffer.from(`${' '.repeat(507)}<p>`))).toBe(html);
    expect(sniffContentType(Buffer.from(`${' '.repeat(510)}<p>`))).toBe(text);
  });
});
