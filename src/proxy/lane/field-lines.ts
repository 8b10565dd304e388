/** `rawHeaders`: flat, name, value, name, value, …. As header or trailer lines, without the blank one. */
export function fieldLines(rawHeaders: readonly string[]): string {
  let lines = '';
  for (let i = 0; i < rawHeaders.length; i += 2) {
    lines += `${rawHeaders[i] as string}: ${rawHeaders[i + 1] as string}\r\n`;
  }
  return lines;
}
