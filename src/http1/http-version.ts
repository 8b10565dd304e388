/** In what an answer to HTTP/1.0 differs from one to HTTP/1.1 (specification section 12). Pure. */

export function statusLineStart(http10: boolean): string {
  return http10 ? 'HTTP/1.0 ' : 'HTTP/1.1 ';
}

/** Each version's own exception is said: that the connection ends, or that it stays. '' says what is usual. */
export function connectionLine(http10: boolean, close: boolean): string {
  if (close) return http10 ? '' : 'Connection: close\r\n';
  return http10 ? 'Connection: keep-alive\r\n' : '';
}
