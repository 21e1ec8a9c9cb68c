/** One row of a table: the first cell is flush left, the others right. */
export function padded(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0)))
    .join('  ')
    .trimEnd();
}

/** Rows of text in which each column is as wide as its widest cell. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) => padded(row, widths));
}

export function percentText(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `45 s`, `3 min`, `2 h 5 min`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function pluralText(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Longest line for a terminal of 80 columns. */
const WIDTH = 79;

/** Removes control characters and line breaks from text of other people, and cuts it to the width. */
export function within(line: string): string {
  const plain = line.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ');
  return plain.length > WIDTH ? `${plain.slice(0, WIDTH - 1)}…` : plain;
}
