/** Content-Disposition as Go's mime.FormatMediaType writes it (specification 5.2). Strings are latin1 bytes. */

const token = /^[0-9A-Za-z!#$%&'*+\-.^_`{|}~]+$/;
const needsEncoding = /[^\t\x20-\x7e]/;
/** RFC 2231 section 7: the token's characters without these three. */
const notAttributeChar = /[*'%]|[^0-9A-Za-z!#$&+\-.^_`{|}~]/g;

export function contentDisposition(asAttachment: boolean, filename: string): string {
  const type = asAttachment ? 'attachment' : 'inline';
  if (needsEncoding.test(filename)) {
    return `${type}; filename*=utf-8''${filename.replace(notAttributeChar, percentEncode)}`;
  }
  if (token.test(filename)) return `${type}; filename=${filename}`;
  return `${type}; filename="${filename.replace(/["\\]/g, '\\$&')}"`;
}

function percentEncode(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
