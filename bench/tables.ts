/** Markdown tables, and how figures are written in them. Pure. */

export type Row = readonly (string | number)[];

/** A measured value and the bar that it is held to. `names`: one cell each. */
export interface Bar {
  readonly names: readonly string[];
  readonly value: number;
  readonly sign: '≤' | '≥';
  readonly bar: number;
  readonly isMet: boolean;
}

/** One line of Markdown each. */
export function table(head: Row, rows: readonly Row[]): readonly string[] {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

export function size(bytes: number): string {
  return bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`;
}

export function barTable(head: Row, bars: readonly Bar[]): readonly string[] {
  return table(
    [...head, 'figure', 'bar', ''],
    bars.map(({ names, value, sign, bar, isMet }) => {
      return [...names, value, `${sign} ${bar}`, isMet ? 'met' : 'NOT met'];
    }),
  );
}
