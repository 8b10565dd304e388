/** Markdown tables, and how figures are written in them. Pure. */

export function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

export function size(bytes) {
  return bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`;
}

export function barTable(head, bars) {
  return table(
    [...head, 'figure', 'bar', ''],
    bars.map(({ names, value, sign, bar, isMet }) => {
      return [...names, value, `${sign} ${bar}`, isMet ? 'met' : 'NOT met'];
    }),
  );
}
